// Linearizable reads without a log entry (6.4), batched: one round of heartbeats confirms the
// leadership for all reads that came before it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/raft/raft.h"

namespace kdb::raft {

struct ReadRequest {
  NodeId from = kNoNode;
  uint64_t context = 0;
};

// A leader's reads in one term. Requests wait for the next round; one round is under way at a time,
// but for the regular heartbeats, which carry the newest. Not thread-safe.
class ReadRounds {
 public:
  void Add(ReadRequest request) { waiting_.push_back(request); }
  bool WantsRound() const { return !waiting_.empty() && confirmed_ >= round_; }
  bool has_waiting() const { return !waiting_.empty(); }
  // Starts a round for all that wait. `commit` covers everything that was committed when they came.
  void StartRound(Index commit);
  // What heartbeats carry; 0 before the first round.
  uint64_t round() const { return round_; }

  struct Confirmed {
    ReadRequest request;
    Index index = 0;
  };
  // Requests of all rounds up to `round`, in order of arrival.
  std::vector<Confirmed> Confirm(uint64_t round);
  // Everything not confirmed; the object is as new.
  std::vector<ReadRequest> TakeAll();

 private:
  struct Round {
    uint64_t round;
    Index index;
    std::vector<ReadRequest> requests;
  };

  std::vector<ReadRequest> waiting_;
  std::deque<Round> rounds_;
  uint64_t round_ = 0;
  uint64_t confirmed_ = 0;
};

// A follower's reads that its leader answers. All that came since the last Ready share one message.
// Not thread-safe.
class ForwardedReads {
 public:
  // Ids of requests start at a random number: an answer to a request from before a restart must not
  // match.
  explicit ForwardedReads(Random& random) : next_id_(random.Next() | 1) {}

  void Add(uint64_t context) { waiting_.push_back(context); }
  bool has_waiting() const { return !waiting_.empty(); }
  // The id of a request for all that wait; it fails at `deadline`, in the ticks that Expire is
  // given.
  uint64_t Send(uint64_t deadline);
  // `id` was answered: so were all requests sent before it.
  std::vector<uint64_t> Answer(uint64_t id);
  std::vector<uint64_t> Expire(uint64_t now);
  std::vector<uint64_t> TakeAll();

 private:
  struct Group {
    uint64_t id;
    uint64_t deadline;
    std::vector<uint64_t> contexts;
  };

  static void MoveTo(std::vector<uint64_t>& from, std::vector<uint64_t>* to);

  std::vector<uint64_t> waiting_;
  std::deque<Group> sent_;  // by id
  uint64_t next_id_;
};

}  // namespace kdb::raft

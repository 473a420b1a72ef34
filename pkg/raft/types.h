// The values that Raft is about: entries, hard state, configurations, messages. Plain data; pkg/wal
// writes them to disk, pkg/rpc to the network.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/payload.h"

namespace kdb::raft {

using NodeId = uint64_t;  // never 0, never reused in a group
using Term = uint64_t;
using Index = uint64_t;  // the first entry of a log has index 1

inline constexpr NodeId kNoNode = 0;

enum class EntryType : uint8_t {
  kNormal = 0,      // empty data: the no-op that a new leader appends
  kConfChange = 1,  // data: EncodeConfChange
};

struct Entry {
  Index index = 0;
  Term term = 0;
  EntryType type = EntryType::kNormal;
  Payload data;

  friend bool operator==(const Entry&, const Entry&) = default;
};

// Must be durable before any message that depends on it leaves.
struct HardState {
  Term term = 0;
  NodeId vote = kNoNode;
  Index commit = 0;

  friend bool operator==(const HardState&, const HardState&) = default;
};

// A configuration, possibly joint (Raft thesis 4.3). Vectors are sorted. Not joint: voters_outgoing
// is empty.
struct ConfState {
  std::vector<NodeId> voters;
  std::vector<NodeId> voters_outgoing;
  std::vector<NodeId> learners;
  std::vector<NodeId> learners_next;  // become learners when the joint configuration is left
  bool auto_leave = false;

  friend bool operator==(const ConfState&, const ConfState&) = default;
};

enum class ConfChangeKind : uint8_t {
  kAddVoter = 0,
  kRemove = 1,
  kAddLearner = 2,
  kUpdate = 3,  // the member's record is another, the configuration is the same
};

struct ConfChange {
  struct Step {
    ConfChangeKind kind;
    NodeId node;
    friend bool operator==(const Step&, const Step&) = default;
  };
  std::vector<Step> steps;  // more than one: joint. None: leave the joint configuration
  std::string context;      // opaque to Raft: the member's record

  friend bool operator==(const ConfChange&, const ConfChange&) = default;
};

// Where a snapshot stands: the last entry it covers, and the configuration as of it.
struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  ConfState conf;

  friend bool operator==(const SnapshotMeta&, const SnapshotMeta&) = default;
};

enum class MessageType : uint8_t {
  // term = the term it would campaign in; index, log_term = its last entry.
  kPreVote = 0,
  kPreVoteReply,  // reject
  // index, log_term = the candidate's last entry; force: a transfer, skip stickiness.
  kVote,
  kVoteReply,  // reject
  // index, log_term = the entry before `entries`; commit.
  kAppend,
  // index = last durable match, or the rejected index with reject, hint_index, hint_term.
  kAppendReply,
  // commit = min(match, leader's commit); context = newest read batch; hint_index = match.
  kHeartbeat,
  // context, hint_index echoed; index = end of its log: below hint_index, acknowledged data was
  // lost; reject: its disk stalls, it would not lead.
  kHeartbeatReply,
  kSnapshot,        // snapshot: the bulk travels out of band; this one announces it
  kTransferTo,      // leader to the transfer's target: campaign now
  kReadIndex,       // follower to leader: context = the request's id
  kReadIndexReply,  // index, context echoed
};

// What a member's state machine amounts to at an entry; the core only carries it.
struct StateHash {
  Index index = 0;  // 0: none
  uint64_t digest = 0;
  friend bool operator==(const StateHash&, const StateHash&) = default;
};

struct Message {
  MessageType type = MessageType::kHeartbeat;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  Term term = 0;
  Index index = 0;
  Term log_term = 0;
  Index commit = 0;
  bool reject = false;
  bool force = false;
  Index hint_index = 0;
  Term hint_term = 0;
  uint64_t context = 0;
  // Of answers (IsAnswer), filled in by the driver: the sender's wall clock, whether its disk is
  // nearly full, and the newest hash of its state.
  int64_t wall_ms = 0;
  bool disk_full = false;
  StateHash state_hash = {};
  std::vector<Entry> entries;
  SnapshotMeta snapshot;
};

// What a follower answers its leader all the time.
inline bool IsAnswer(MessageType type) {
  return type == MessageType::kAppendReply || type == MessageType::kHeartbeatReply;
}

// Bytes an entry counts for in flow control: its data and a fixed overhead.
inline constexpr size_t kEntryOverhead = 24;
inline size_t EntryBytes(const Entry& e) { return e.data.size() + kEntryOverhead; }

// ConfChange as entry data. Decode returns false on bytes that Encode did not write.
std::string EncodeConfChange(const ConfChange& change);
bool DecodeConfChange(std::string_view bytes, ConfChange* change);
// ConfState in snapshots' metadata and system records; version byte first.
std::string EncodeConfState(const ConfState& conf);
bool DecodeConfState(std::string_view bytes, ConfState* conf);

}  // namespace kdb::raft

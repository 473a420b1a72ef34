// Whether a learner has caught up, so that making it a voter does not hold up the group.
#pragma once

#include <optional>

#include "pkg/base/clock.h"
#include "pkg/raft/raft.h"

namespace kdb::raftnode {

// Thesis 4.2.1: replication to the learner goes in rounds; each is over when the learner has all
// that the leader had at the round's beginning. It has caught up when a round was no longer than
// `max_round`, an election timeout: to wait for the rest takes no longer than a change of leaders.
// Unlike the thesis's server it is not given up after some rounds: a learner harms nobody.
class CatchUp {
 public:
  // Entries that it may be behind at that moment: a pause between two looks is no round.
  static constexpr raft::Index kMaxLag = 5000;

  explicit CatchUp(Clock::Duration max_round) : max_round_(max_round) {}

  // The leader's view of the learner and the end of its log. True: it has caught up.
  bool Observe(const raft::ProgressStatus& learner, raft::Index last, Clock::Duration now) {
    if (!round_.has_value()) round_ = Round{last, now};
    if (learner.match < round_->target) return false;
    const bool fast = now - round_->began <= max_round_;
    round_ = Round{last, now};
    return fast && last - learner.match <= kMaxLag;
  }

 private:
  struct Round {
    raft::Index target = 0;
    Clock::Duration began{0};
  };

  const Clock::Duration max_round_;
  std::optional<Round> round_;
};

}  // namespace kdb::raftnode

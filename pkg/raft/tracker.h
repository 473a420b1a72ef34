// The configuration in force, what is known of each member, and the votes of an election.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "pkg/raft/progress.h"
#include "pkg/raft/quorum.h"

namespace kdb::raft {

// Not thread-safe.
class Tracker {
 public:
  Tracker(const Config& config, ConfState conf);

  const ConfState& conf() const { return conf_; }
  // Members that stay keep their progress; new ones start at `next`, active until CheckQuorum says
  // else.
  void SetConf(ConfState conf, Index next);
  // A term of leadership begins: nothing is known of anybody.
  void Reset(Index next);

  std::span<Progress> members() { return members_; }
  std::span<const Progress> members() const { return members_; }
  // nullptr: no member.
  Progress* Find(NodeId id);
  const Progress* Find(NodeId id) const;

  // What a quorum has in its log; the newest read round that a quorum confirmed. `self` counts as
  // confirming all.
  Index CommittedIndex() const;
  uint64_t ConfirmedRound(NodeId self) const;
  // A quorum was heard of since the last call; starts the next period.
  bool TakeQuorumActive(NodeId self);

  void ResetVotes() { votes_.clear(); }
  // The first answer counts.
  void RecordVote(NodeId id, bool granted);
  VoteResult Tally() const;

 private:
  void Rebuild(Index next, bool keep);

  const Config& config_;
  ConfState conf_;
  std::vector<Progress> members_;  // by id
  std::vector<std::pair<NodeId, bool>> votes_;
};

}  // namespace kdb::raft

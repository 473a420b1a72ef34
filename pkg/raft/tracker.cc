#include "pkg/raft/tracker.h"

#include <algorithm>
#include <limits>

#include "pkg/raft/conf_change.h"

namespace kdb::raft {

Tracker::Tracker(const Config& config, ConfState conf) : config_(config), conf_(std::move(conf)) {
  Rebuild(1, false);
}

void Tracker::SetConf(ConfState conf, Index next) {
  conf_ = std::move(conf);
  Rebuild(next, true);
}

void Tracker::Reset(Index next) { Rebuild(next, false); }

void Tracker::Rebuild(Index next, bool keep) {
  std::vector<Progress> members;
  for (NodeId id : Members(conf_)) {
    Progress* known = keep ? Find(id) : nullptr;
    if (known != nullptr) {
      members.push_back(std::move(*known));
    } else {
      members.emplace_back(id, next, config_);
      members.back().recent_active = keep;
    }
    members.back().learner = IsLearner(conf_, id);
  }
  members_ = std::move(members);
}

Progress* Tracker::Find(NodeId id) { return const_cast<Progress*>(std::as_const(*this).Find(id)); }

const Progress* Tracker::Find(NodeId id) const {
  for (const Progress& p : members_) {
    if (p.id() == id) return &p;
  }
  return nullptr;
}

Index Tracker::CommittedIndex() const {
  return QuorumValue(conf_, [this](NodeId id) { return Find(id)->counted(); });
}

uint64_t Tracker::ConfirmedRound(NodeId self) const {
  return QuorumValue(conf_, [this, self](NodeId id) {
    return id == self ? std::numeric_limits<uint64_t>::max() : Find(id)->counted_round();
  });
}

bool Tracker::TakeQuorumActive(NodeId self) {
  VoteResult active = QuorumVote(conf_, [this, self](NodeId id) {
    return std::optional<bool>(id == self || Find(id)->recent_active);
  });
  for (Progress& p : members_) {
    p.active_before = p.recent_active;
    p.recent_active = p.id() == self;
  }
  return active == VoteResult::kWon;
}

void Tracker::RecordVote(NodeId id, bool granted) {
  for (const auto& vote : votes_) {
    if (vote.first == id) return;
  }
  votes_.emplace_back(id, granted);
}

VoteResult Tracker::Tally() const {
  return QuorumVote(conf_, [this](NodeId id) -> std::optional<bool> {
    for (const auto& vote : votes_) {
      if (vote.first == id) return vote.second;
    }
    return std::nullopt;
  });
}

}  // namespace kdb::raft

#include "pkg/raftnode/group_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kdb::raftnode {

std::string_view RoleName(raft::Role role) {
  switch (role) {
    case raft::Role::kLeader:
      return "leader";
    case raft::Role::kFollower:
      return "follower";
    default:
      return "candidate";
  }
}

raft::ConfState InitialConf(const catalog::BirthCertificate& birth) {
  raft::ConfState conf;
  for (const catalog::Member& m : birth.members()) {
    (m.role() == catalog::Member::LEARNER ? conf.learners : conf.voters).push_back(m.id());
  }
  return conf;
}

GroupView::GroupView(const catalog::BirthCertificate& birth, raft::NodeId self, obs::Logger logger)
    : self_(self),
      name_(birth.gid() == 0 ? "the meta group" : fmt::format("group {}", birth.gid())),
      logger_(std::move(logger)) {
  for (const catalog::Member& m : birth.members()) members_[m.id()] = m;
}

void GroupView::UpdateAddresses(const std::vector<catalog::Member>& members) {
  MutexLock lock(mu_);
  for (const catalog::Member& m : members) {
    auto it = members_.find(m.id());
    if (it != members_.end() && it->second.uuid() == m.uuid()) it->second.set_address(m.address());
  }
}

std::vector<Peer> GroupView::Peers() const {
  std::vector<Peer> peers;
  MutexLock lock(mu_);
  for (const auto& [id, m] : members_) peers.push_back({id, m.uuid(), m.address()});
  return peers;
}

std::optional<catalog::Member> GroupView::Member(raft::NodeId id) const {
  MutexLock lock(mu_);
  auto it = members_.find(id);
  if (it == members_.end()) return std::nullopt;
  return it->second;
}

absl::Status GroupView::CheckMember(raft::NodeId id, const std::string& uuid) const {
  std::optional<catalog::Member> member = Member(id);
  if (!member.has_value()) {
    return absl::FailedPreconditionError(fmt::format("member {} is not one of {}", id, name_));
  }
  if (member->uuid() == uuid) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "member {} of {} is directory {}, not {}: a new or emptied directory is a new member", id,
      name_, member->uuid(), uuid));
}

void GroupView::SetLeadership(const Leadership& leadership) {
  logger_->info("{} of {} in term {}, leader {}", RoleName(leadership.role), name_, leadership.term,
                leadership.leader);
  MutexLock lock(mu_);
  leadership_ = leadership;
}

void GroupView::SetDegraded(bool degraded, const std::string& why) {
  logger_->warn("{}: {}", degraded ? "degraded" : "recovered", why);
  MutexLock lock(mu_);
  degraded_ = degraded ? why : "";
}

GroupView::Leadership GroupView::leadership() const {
  MutexLock lock(mu_);
  return leadership_;
}

std::string GroupView::LeaderAddress() const {
  MutexLock lock(mu_);
  auto it = members_.find(leadership_.leader);
  return it == members_.end() || it->first == self_ ? "" : it->second.address();
}

void GroupView::SetReplayTarget(raft::Index index) {
  MutexLock lock(mu_);
  replay_target_ = index;
}

absl::Status GroupView::Started(const raft::RaftStatus& status) const {
  MutexLock lock(mu_);
  if (!replay_target_.has_value()) return absl::UnavailableError("the log is being opened");
  if (status.applied >= *replay_target_) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("the log is being replayed: applied {} of {}", status.applied, *replay_target_));
}

absl::Status GroupView::Ready(const raft::RaftStatus& status, uint64_t max_lag) const {
  {
    MutexLock lock(mu_);
    if (!degraded_.empty()) return absl::UnavailableError(degraded_);
  }
  const auto& voters = status.conf.voters;
  if (std::find(voters.begin(), voters.end(), status.id) == voters.end()) {
    return absl::UnavailableError("not a voter of the group");
  }
  if (status.leader == raft::kNoNode) return absl::UnavailableError("no leader is known");
  const uint64_t lag = status.commit - std::min(status.applied, status.commit);
  if (lag <= max_lag) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{} committed entries are not applied yet", lag));
}

}  // namespace kdb::raftnode

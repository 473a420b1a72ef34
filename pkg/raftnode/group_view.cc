#include "pkg/raftnode/group_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"

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

GroupView::GroupView(const catalog::BirthCertificate& birth, raft::NodeId self, obs::Logger logger)
    : self_(self), name_(GroupName(birth.gid())), logger_(std::move(logger)) {
  MutexLock lock(mu_);
  membership_ = BirthMembership(birth);
  for (const catalog::Member& m : birth.members()) {
    if (m.role() == catalog::Member::LEARNER) newcomers_[m.id()] = m;
  }
}

void GroupView::Connect(Transport& transport) {
  {
    MutexLock lock(transport_mu_);
    transport_ = &transport;
  }
  TellTransport();
}

void GroupView::TellTransport() {
  MutexLock lock(transport_mu_);
  if (transport_ != nullptr) transport_->SetPeers(Peers(), membership().index);
}

void GroupView::SetMembership(const Membership& membership) {
  {
    MutexLock lock(mu_);
    membership_ = membership;
    std::erase_if(newcomers_, [&](const auto& m) { return m.first <= membership.highest_id; });
    std::erase_if(moved_,
                  [&](const auto& m) { return m.second.members_index <= membership.index; });
  }
  ++version_;
  logger_->info("{} has {}", name_, Describe(membership));
  TellTransport();
  TellRemoved();
}

Membership GroupView::membership() const {
  MutexLock lock(mu_);
  return membership_;
}

std::vector<Peer> GroupView::Peers() const {
  MutexLock lock(mu_);
  return PeersLocked();
}

std::vector<Peer> GroupView::PeersLocked() const {
  std::vector<Peer> peers;
  for (const auto* members : {&membership_.members, &newcomers_}) {
    for (const auto& [id, m] : *members) peers.push_back({id, m.uuid(), AddressLocked(m)});
  }
  return peers;
}

std::string GroupView::AddressLocked(const catalog::Member& member) const {
  auto moved = moved_.find(member.id());
  return moved == moved_.end() ? member.address() : moved->second.address;
}

const catalog::Member* GroupView::FindLocked(raft::NodeId id) const {
  for (const auto* members : {&membership_.members, &newcomers_}) {
    auto it = members->find(id);
    if (it != members->end()) return &it->second;
  }
  return nullptr;
}

std::optional<catalog::Member> GroupView::Member(raft::NodeId id) const {
  MutexLock lock(mu_);
  const catalog::Member* member = FindLocked(id);
  return member == nullptr ? std::nullopt : std::optional(*member);
}

absl::Status GroupView::CheckMember(raft::NodeId id, const std::string& uuid) const {
  MutexLock lock(mu_);
  return CheckMemberLocked(id, uuid);
}

absl::Status GroupView::CheckMemberLocked(raft::NodeId id, const std::string& uuid) const {
  const catalog::Member* member = FindLocked(id);
  if (member == nullptr && id != raft::kNoNode && id <= membership_.highest_id) {
    return absl::NotFoundError(
        fmt::format("member {} was removed from {}: stop that server; its directory is of no use "
                    "any more",
                    id, name_));
  }
  if (member == nullptr) {
    return absl::FailedPreconditionError(fmt::format("member {} is not one of {}", id, name_));
  }
  if (member->uuid() == uuid) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "member {} of {} is directory {}, not {}: a new or emptied directory is a new member", id,
      name_, member->uuid(), uuid));
}

absl::Status GroupView::CheckNewcomerLocked(raft::NodeId id, const std::string& uuid) const {
  if (FindLocked(id) != nullptr) return CheckMemberLocked(id, uuid);
  if (newcomers_.size() < kMaxNewcomers) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("too many members of {} are not known here yet: {} is not let in", name_, id));
}

absl::StatusOr<bool> GroupView::AdmitLocked(const Caller& caller) {
  if (caller.id <= membership_.highest_id || caller.id == self_) {
    KDB_RETURN_IF_ERROR(CheckMemberLocked(caller.id, caller.uuid));
    const bool newer = caller.members_index > membership_.index && caller.id != self_;
    if (!newer || AddressLocked(*FindLocked(caller.id)) == caller.address) return false;
    moved_[caller.id] = caller;
    return true;
  }
  KDB_RETURN_IF_ERROR(CheckNewcomerLocked(caller.id, caller.uuid));
  catalog::Member& member = newcomers_[caller.id];
  if (member.id() == caller.id && member.address() == caller.address) return false;
  member.set_id(caller.id);
  member.set_uuid(caller.uuid);
  member.set_address(caller.address);
  return true;
}

absl::Status GroupView::Admit(const Caller& caller) {
  {
    MutexLock lock(mu_);
    KDB_ASSIGN_OR_RETURN(bool news, AdmitLocked(caller));
    if (!news) return absl::OkStatus();
  }
  logger_->info("member {} of {} is at {}, which the log that is here does not say yet", caller.id,
                name_, caller.address);
  TellTransport();
  return absl::OkStatus();
}

void GroupView::OnRemoved(std::function<void(const absl::Status&)> removed) {
  on_removed_ = std::move(removed);
}

void GroupView::NoteRemoved() {
  {
    MutexLock lock(mu_);
    noted_removed_ = true;
  }
  TellRemoved();
}

absl::Status GroupView::RemovedLocked() const {
  const bool by_log = self_ <= membership_.highest_id && FindLocked(self_) == nullptr;
  if (!by_log && !noted_removed_) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("this member was removed from {}: stop this server", name_));
}

void GroupView::TellRemoved() {
  absl::Status removed;
  {
    MutexLock lock(mu_);
    removed = RemovedLocked();
    if (removed.ok() || std::exchange(told_removed_, true)) return;
  }
  logger_->warn("{}", std::string(removed.message()));
  on_removed_(removed);
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

void GroupView::SetDisk(const DiskStatus& disk) {
  const bool room = disk.level == DiskLevel::kRoom && !disk.quorum_full;
  const std::string said = Describe(disk);
  room ? logger_->info("{}", said) : logger_->warn("{}", said);
  MutexLock lock(mu_);
  disk_trouble_ = room ? "" : said;
}

std::string GroupView::DiskTrouble() const {
  MutexLock lock(mu_);
  return disk_trouble_;
}

GroupView::Leadership GroupView::leadership() const {
  MutexLock lock(mu_);
  return leadership_;
}

std::string GroupView::LeaderAddress() const {
  MutexLock lock(mu_);
  const catalog::Member* leader = FindLocked(leadership_.leader);
  return leader == nullptr || leader->id() == self_ ? "" : AddressLocked(*leader);
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
    KDB_RETURN_IF_ERROR(RemovedLocked());
  }
  const auto& voters = status.conf.voters;
  if (std::find(voters.begin(), voters.end(), status.id) == voters.end()) {
    return absl::UnavailableError("not a voter of the group (yet)");
  }
  if (status.leader == raft::kNoNode) return absl::UnavailableError("no leader is known");
  const uint64_t lag = status.commit - std::min(status.applied, status.commit);
  if (lag <= max_lag) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{} committed entries are not applied yet", lag));
}

}  // namespace kdb::raftnode

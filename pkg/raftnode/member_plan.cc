#include "pkg/raftnode/member_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/raft/conf_change.h"
#include "pkg/raftnode/identity.h"

namespace kdb::raftnode {
namespace {

using raft::ConfChangeKind;
using raft::NodeId;

template <typename... Args>
absl::Status Refuse(fmt::format_string<Args...> why, Args&&... args) {
  return absl::FailedPreconditionError(fmt::format(why, std::forward<Args>(args)...));
}

const catalog::Member* FindByUuid(const Membership& membership, std::string_view uuid) {
  for (const auto& [_, member] : membership.members) {
    if (member.uuid() == uuid) return &member;
  }
  return nullptr;
}

const catalog::Member* FindByAddress(const Membership& membership, std::string_view address) {
  for (const auto& [_, member] : membership.members) {
    if (member.address() == address) return &member;
  }
  return nullptr;
}

absl::Status CheckKnown(const Situation& now, NodeId id) {
  const Membership& m = now.membership;
  if (m.members.contains(id)) return absl::OkStatus();
  const std::string name = GroupName(now.gid);
  std::vector<NodeId> ids;
  for (const auto& [known, _] : m.members) ids.push_back(known);
  const bool was = id != raft::kNoNode && id <= m.highest_id;
  return absl::NotFoundError(fmt::format("{} has no member {}{}: its members are {}", name, id,
                                         was ? " any more" : "", fmt::join(ids, ",")));
}

// One change at a time: also not while a learner is on its way to be a voter.
absl::Status CheckNoChange(const Situation& now) {
  if (raft::IsJoint(now.membership.conf)) {
    return Refuse("a change of the members of {} is under way: repeat the call when it is done",
                  GroupName(now.gid));
  }
  for (NodeId id : now.membership.conf.learners) {
    return Refuse(
        "member {} of {} is being added: wait until it is a voter, or remove it, before the next "
        "change",
        id, GroupName(now.gid));
  }
  return absl::OkStatus();
}

// The address is nobody's, or `except`'s.
absl::Status CheckAddressFree(const Situation& now, const std::string& address, NodeId except) {
  const catalog::Member* there = FindByAddress(now.membership, address);
  if (there == nullptr || there->id() == except) return absl::OkStatus();
  return Refuse("{} is the address of member {} of {}", address, there->id(), GroupName(now.gid));
}

absl::Status CheckAnswers(const std::string& address, const absl::Status& heard) {
  if (heard.ok()) return absl::OkStatus();
  return Refuse("the server at {} does not answer: start it first; nothing was changed ({})",
                address, std::string(heard.message()));
}

// Its directory is empty, and it would take the group's certificate.
absl::Status CheckPassive(const Situation& now, const std::string& address,
                          const Newcomer& server) {
  const std::string_view program = ProgramOf(now.gid == 0 ? ServerKind::kMeta : ServerKind::kKv);
  if (server.program != program) {
    return Refuse("the server at {} is a {}, {} has {} servers", address, server.program,
                  GroupName(now.gid), program);
  }
  const bool ours = server.cluster_id == now.cluster_id && server.gid == now.gid;
  if (ours) {
    return Refuse(
        "the directory at {} was member {} of this group, and is removed: ids are never used "
        "again; start the server on an empty directory",
        address, server.member_id);
  }
  if (!server.cluster_id.empty()) {
    return Refuse(
        "the directory at {} is not empty: it is member {} of {} of cluster {} for life; start the "
        "server on an empty one",
        address, server.member_id, GroupName(server.gid), server.cluster_id);
  }
  if (!server.follows.empty() && server.follows != now.cluster_id) {
    return Refuse("the server at {} follows cluster {}, not {}: correct its meta servers", address,
                  server.follows, now.cluster_id);
  }
  return absl::OkStatus();
}

Plan AddLearner(const Situation& now, const std::string& address, const Newcomer& server,
                NodeId replaces) {
  catalog::Member member;
  member.set_id(now.membership.highest_id + 1);
  member.set_uuid(server.uuid);
  member.set_address(address);
  member.set_role(catalog::Member::LEARNER);
  member.set_replaces(replaces);
  return {member.id(),
          raft::ConfChange{{{ConfChangeKind::kAddLearner, member.id()}}, EncodeMember(member)}};
}

size_t CountWell(const raft::RaftStatus& status, const std::vector<NodeId>& voters) {
  return static_cast<size_t>(
      std::count_if(voters.begin(), voters.end(), [&](NodeId id) { return IsWell(status, id); }));
}

// After the change, and on the way to it, more than half of the voters are well.
absl::Status CheckLiveQuorum(const Situation& now, const raft::ConfChange& change) {
  absl::StatusOr<raft::ConfState> after = raft::Changed(now.membership.conf, change);
  if (!after.ok()) return Refuse("{}", std::string(after.status().message()));
  for (const std::vector<NodeId>* half : {&after->voters, &after->voters_outgoing}) {
    const size_t well = CountWell(now.status, *half);
    if (half->empty() || 2 * well > half->size()) continue;
    std::vector<NodeId> ill;
    for (NodeId id : *half) {
      if (!IsWell(now.status, id)) ill.push_back(id);
    }
    return Refuse(
        "the voters of {} would be {}, of which only {} are well, without a majority: replace or "
        "restart member {} first",
        GroupName(now.gid), fmt::join(*half, ","), well, fmt::join(ill, ","));
  }
  return absl::OkStatus();
}

// A replacement needs both majorities for a while: not at the cost of a voter that is well while
// another is not.
absl::Status CheckWorthReplacing(const Situation& now, NodeId id) {
  if (!IsWell(now.status, id)) return absl::OkStatus();
  for (NodeId other : now.membership.conf.voters) {
    if (other == id || IsWell(now.status, other)) continue;
    return Refuse("member {} of {} is well and member {} is not: replace or restart that one first",
                  id, GroupName(now.gid), other);
  }
  return absl::OkStatus();
}

}  // namespace

bool IsWell(const raft::RaftStatus& status, NodeId id) {
  if (id == status.id) return true;
  return std::any_of(status.progress.begin(), status.progress.end(),
                     [&](const auto& p) { return p.id == id && p.recent_active && !p.suspect; });
}

catalog::BirthCertificate CertificateOf(const catalog::BirthCertificate& birth,
                                        const catalog::Member& member) {
  catalog::BirthCertificate certificate = birth;
  certificate.clear_members();
  for (const catalog::Member& m : birth.members()) {
    if (m.role() == catalog::Member::VOTER) *certificate.add_members() = m;
  }
  catalog::Member& later = *certificate.add_members();
  later = member;
  later.set_role(catalog::Member::LEARNER);
  later.clear_replaces();
  return certificate;
}

absl::StatusOr<Plan> PlanAdd(const Situation& now, const std::string& address,
                             const absl::StatusOr<Newcomer>& heard) {
  const catalog::Member* there = FindByAddress(now.membership, address);
  const catalog::Member* same = heard.ok() ? FindByUuid(now.membership, heard->uuid) : nullptr;
  if (there != nullptr && there == same) return Plan{there->id(), std::nullopt};
  if (there != nullptr) {
    return Refuse(
        "{} is the address of member {} of {}, whose directory is {}: a new or emptied directory "
        "there is a new member, so replace member {} by it",
        address, there->id(), GroupName(now.gid), there->uuid(), there->id());
  }
  if (same != nullptr) {
    return Refuse("the server at {} is member {} of {}, known at {}: update that member's address",
                  address, same->id(), GroupName(now.gid), same->address());
  }
  KDB_RETURN_IF_ERROR(CheckAnswers(address, heard.status()));
  KDB_RETURN_IF_ERROR(CheckPassive(now, address, *heard));
  KDB_RETURN_IF_ERROR(CheckNoChange(now));
  if (now.membership.members.size() >= kMaxMembers) {
    return Refuse("{} has {} members, and may not have more", GroupName(now.gid), kMaxMembers);
  }
  return AddLearner(now, address, *heard, raft::kNoNode);
}

absl::StatusOr<Plan> PlanReplace(const Situation& now, NodeId id, const std::string& address,
                                 const absl::StatusOr<Newcomer>& heard) {
  const Membership& m = now.membership;
  const catalog::Member* same = heard.ok() ? FindByUuid(m, heard->uuid) : nullptr;
  // Repeated: it is under way, or done.
  const bool begun = same != nullptr && same->replaces() == id;
  const bool done = same != nullptr && !m.members.contains(id) && id < same->id();
  if (id != raft::kNoNode && (begun || done)) return Plan{same->id(), std::nullopt};
  KDB_RETURN_IF_ERROR(CheckKnown(now, id));
  if (same != nullptr) {
    return Refuse(
        "the server at {} is member {} of {} itself: the new one needs an empty directory", address,
        same->id(), GroupName(now.gid));
  }
  KDB_RETURN_IF_ERROR(CheckAddressFree(now, address, id));
  KDB_RETURN_IF_ERROR(CheckAnswers(address, heard.status()));
  KDB_RETURN_IF_ERROR(CheckPassive(now, address, *heard));
  KDB_RETURN_IF_ERROR(CheckNoChange(now));
  KDB_RETURN_IF_ERROR(CheckWorthReplacing(now, id));
  return AddLearner(now, address, *heard, id);
}

absl::StatusOr<Plan> PlanRemove(const Situation& now, NodeId id) {
  const Membership& m = now.membership;
  if (!m.members.contains(id) && id != raft::kNoNode && id <= m.highest_id) {
    return Plan{id, std::nullopt};
  }
  KDB_RETURN_IF_ERROR(CheckKnown(now, id));
  if (m.conf.voters == std::vector<NodeId>{id}) {
    return Refuse(
        "member {} is the last voter of {}, which would be gone with its data: add another member "
        "first",
        id, GroupName(now.gid));
  }
  // A learner that does not come up must not stand in the way.
  if (!raft::IsLearner(m.conf, id)) KDB_RETURN_IF_ERROR(CheckNoChange(now));
  raft::ConfChange change{{{ConfChangeKind::kRemove, id}}, ""};
  KDB_RETURN_IF_ERROR(CheckLiveQuorum(now, change));
  return Plan{id, std::move(change)};
}

absl::StatusOr<Plan> PlanUpdate(const Situation& now, NodeId id, const std::string& address,
                                const absl::StatusOr<Newcomer>& heard) {
  KDB_RETURN_IF_ERROR(CheckKnown(now, id));
  catalog::Member member = now.membership.members.at(id);
  if (member.address() == address) return Plan{id, std::nullopt};
  KDB_RETURN_IF_ERROR(CheckAddressFree(now, address, id));
  KDB_RETURN_IF_ERROR(CheckAnswers(address, heard.status()));
  if (heard->uuid != member.uuid()) {
    return Refuse(
        "the server at {} is directory {}, and member {} of {} is {}: a new or emptied directory "
        "is a new member, so replace member {} by it",
        address, heard->uuid, id, GroupName(now.gid), member.uuid(), id);
  }
  member.set_address(address);
  return Plan{id, raft::ConfChange{{{ConfChangeKind::kUpdate, id}}, EncodeMember(member)}};
}

absl::StatusOr<Plan> PlanPromotion(const Situation& now, NodeId learner) {
  const Membership& m = now.membership;
  if (!raft::IsLearner(m.conf, learner) || raft::IsJoint(m.conf)) {
    return Refuse("member {} of {} is no learner", learner, GroupName(now.gid));
  }
  if (!IsWell(now.status, learner)) {
    return Refuse("member {} of {} was not heard of lately", learner, GroupName(now.gid));
  }
  raft::ConfChange change{{{ConfChangeKind::kAddVoter, learner}}, ""};
  auto it = m.members.find(learner);
  const NodeId replaces = it == m.members.end() ? raft::kNoNode : it->second.replaces();
  if (raft::IsVoter(m.conf, replaces)) {
    change.steps.push_back({ConfChangeKind::kRemove, replaces});
  }
  KDB_RETURN_IF_ERROR(CheckLiveQuorum(now, change));
  return Plan{learner, std::move(change)};
}

}  // namespace kdb::raftnode

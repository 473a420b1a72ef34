#include "pkg/meta/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pkg/base/status.h"
#include "pkg/meta/catalog_rules.h"
#include "pkg/raftnode/membership.h"
#include "pkg/rpc/ask_leader.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::milliseconds kIdentifyTimeout{1000};
constexpr std::chrono::milliseconds kTransferTimeout{5000};
// Of one server: it asks the new one who it is, for a second at most, and waits for the commit.
constexpr std::chrono::milliseconds kMembersTimeout{2000};

std::string Text(const absl::Status& status) { return std::string(status.message()); }

std::chrono::milliseconds Within(std::chrono::milliseconds timeout, SteadyTime deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), timeout);
}

template <typename Members>
bool SameAddresses(const Members& members, const std::vector<std::string>& addresses) {
  std::set<std::string> known;
  for (const catalog::Member& member : members) known.insert(member.address());
  return known == std::set<std::string>(addresses.begin(), addresses.end());
}

// The group's servers, or those that it was born with: a call is repeated, whoever came since.
bool MeansTheServersOf(const metalog::State& state, const catalog::Group& group,
                       const std::vector<std::string>& addresses) {
  const catalog::BirthCertificate* birth = FindBirth(state, group.gid());
  return SameAddresses(group.members(), addresses) ||
         (birth != nullptr && SameAddresses(birth->members(), addresses));
}

absl::Status OtherServers(const catalog::Group& group) {
  return absl::FailedPreconditionError(fmt::format("group {} is registered with other servers: {}",
                                                   group.gid(),
                                                   fmt::join(AddressesOf(group), ",")));
}

absl::Status NoSuchGroup(const catalog::Catalog& catalog, uint64_t gid) {
  std::vector<uint64_t> known;
  for (const catalog::Group& group : catalog.groups()) known.push_back(group.gid());
  return absl::NotFoundError(
      known.empty()
          ? fmt::format("there is no group {}: no group was registered yet", gid)
          : fmt::format("there is no group {}: the groups are {}", gid, fmt::join(known, ",")));
}

// Where the member is to be that the call adds or moves; empty when it does neither.
std::string NewAddress(const memberpb::ChangeMembersRequest& request) {
  switch (request.change_case()) {
    case memberpb::ChangeMembersRequest::kAdd:
      return request.add().address();
    case memberpb::ChangeMembersRequest::kReplace:
      return request.replace().address();
    case memberpb::ChangeMembersRequest::kUpdate:
      return request.update().address();
    default:
      return "";
  }
}

// It is not that of another group's member. The group itself knows its own.
absl::Status CheckAddress(const catalog::Catalog& catalog,
                          const memberpb::ChangeMembersRequest& request) {
  const std::string address = NewAddress(request);
  std::vector<const catalog::Group*> others = {&catalog.meta()};
  for (const catalog::Group& group : catalog.groups()) others.push_back(&group);
  for (const catalog::Group* group : others) {
    if (group->gid() == request.gid()) continue;
    for (const catalog::Member& member : group->members()) {
      if (member.address() != address) continue;
      return absl::FailedPreconditionError(
          fmt::format("{} is the address of member {} of {}: a server is a member of one group; "
                      "nothing was changed",
                      address, member.id(), raftnode::GroupName(group->gid())));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Operations::Operations(CatalogLog& log, StateHub& hub, Reconciler& reconciler,
                       rpc::AdminClient& admin)
    : log_(log), hub_(hub), reconciler_(reconciler), admin_(admin) {}

absl::Status Operations::Register(const metapb::RegisterRequest& request, SteadyTime deadline) {
  KDB_ASSIGN_OR_RETURN(StatePtr state, Fresh(deadline));
  const std::vector<std::string> addresses(request.addresses().begin(), request.addresses().end());
  const catalog::Group* group = FindGroup(*state, request.gid());
  if (group != nullptr && !MeansTheServersOf(*state, *group, addresses)) {
    return OtherServers(*group);
  }
  // A born group's servers need not answer.
  if (group != nullptr && group->state() != catalog::Group::REGISTERED) return absl::OkStatus();
  return RegisterServers(request.gid(), addresses, deadline);
}

absl::Status Operations::Join(const metapb::JoinRequest& request, SteadyTime deadline) {
  KDB_ASSIGN_OR_RETURN(StatePtr state, Fresh(deadline));
  const uint64_t gid = request.gid();
  std::vector<std::string> addresses(request.addresses().begin(), request.addresses().end());
  const catalog::Group* group = FindGroup(*state, gid);
  if (group != nullptr) {
    if (addresses.empty()) addresses = AddressesOf(*group);
    if (!MeansTheServersOf(*state, *group, addresses)) return OtherServers(*group);
  }
  if (group == nullptr || group->state() == catalog::Group::REGISTERED) {
    // Again for one that is registered: a directory may have been replaced since.
    KDB_RETURN_IF_ERROR(RegisterServers(gid, addresses, deadline));
    KDB_RETURN_IF_ERROR(DecideBirth(gid, deadline));
  }
  reconciler_.Kick();
  return WaitForGroup(gid, deadline, "has no leader", [gid](const metalog::State& now) {
    const catalog::Group* g = FindGroup(now, gid);
    return g != nullptr && g->state() == catalog::Group::JOINED && g->leader() != 0;
  });
}

absl::Status Operations::Leave(const metapb::LeaveRequest& request, SteadyTime deadline) {
  KDB_RETURN_IF_ERROR(log_.CheckLeader());
  metalog::Command command;
  command.mutable_leave()->set_gid(request.gid());
  return log_.Propose(command, deadline).status();
}

absl::Status Operations::Move(const metapb::MoveRequest& request, SteadyTime deadline) {
  KDB_RETURN_IF_ERROR(log_.CheckLeader());
  const uint64_t gid = request.gid();
  metalog::Command command;
  command.mutable_assign_slots()->set_gid(gid);
  command.mutable_assign_slots()->mutable_slots()->CopyFrom(request.slots());
  KDB_RETURN_IF_ERROR(log_.Propose(command, deadline).status());
  reconciler_.Kick();
  // A repeated call waits too: an assignment of before may not be carried out yet.
  const std::set<uint32_t> wanted(request.slots().begin(), request.slots().end());
  return WaitForGroup(gid, deadline, "does not serve the slots yet",
                      [&wanted, gid](const metalog::State& now) {
                        for (const metalog::Assignment& assignment : now.assignments()) {
                          if (assignment.gid() != gid) continue;
                          const auto& slots = assignment.slots();
                          if (std::any_of(slots.begin(), slots.end(),
                                          [&](uint32_t slot) { return wanted.contains(slot); })) {
                            return false;
                          }
                        }
                        return true;
                      });
}

absl::Status Operations::TransferLeader(const metapb::TransferLeaderRequest& request,
                                        SteadyTime deadline) {
  if (request.gid() == 0) {
    KDB_RETURN_IF_ERROR(log_.CheckLeader());
    if (request.target() == log_.self()) return absl::OkStatus();
    return log_.TransferLeader(request.target(), deadline);
  }
  KDB_ASSIGN_OR_RETURN(StatePtr state, Fresh(deadline));
  const catalog::Group* group = FindGroup(*state, request.gid());
  if (group == nullptr) {
    return absl::NotFoundError(fmt::format("there is no group {}", request.gid()));
  }
  if (AddressOf(*group, request.target()).empty()) {
    return absl::NotFoundError(
        fmt::format("group {} has no member {}", request.gid(), request.target()));
  }
  std::string leader = AddressOf(*group, group->leader());
  if (leader.empty()) {
    return absl::UnavailableError(fmt::format("group {} has no known leader", request.gid()));
  }
  std::string hint;
  absl::Status status = admin_.TransferLeader(leader, request.target(), kTransferTimeout, &hint);
  if (hint.empty() || hint == leader) return status;
  leader = std::move(hint);
  return admin_.TransferLeader(leader, request.target(), kTransferTimeout, &hint);
}

absl::StatusOr<std::vector<std::string>> Operations::MembersOf(const metalog::State& state,
                                                               const std::string& cluster_id,
                                                               uint64_t gid) const {
  const catalog::Catalog& catalog = state.catalog();
  if (!cluster_id.empty() && cluster_id != catalog.cluster_id()) {
    return absl::FailedPreconditionError(
        fmt::format("this is cluster {}, not {}: ask the meta servers of that one; nothing was "
                    "changed",
                    catalog.cluster_id(), cluster_id));
  }
  const catalog::Group* group = gid == 0 ? &catalog.meta() : FindGroup(state, gid);
  if (group == nullptr) return NoSuchGroup(catalog, gid);
  if (group->state() == catalog::Group::REGISTERED) {
    return absl::FailedPreconditionError(fmt::format(
        "group {} is registered, and has not joined: it has no members yet; join it first", gid));
  }
  std::vector<std::string> addresses = AddressesOf(*group);
  addresses.insert(addresses.begin(), AddressOf(*group, gid == 0 ? log_.self() : group->leader()));
  return addresses;
}

absl::Status Operations::ChangeMembers(const memberpb::ChangeMembersRequest& request,
                                       SteadyTime deadline, memberpb::ChangeMembersReply* reply) {
  KDB_ASSIGN_OR_RETURN(StatePtr state, Fresh(deadline));
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> members,
                       MembersOf(*state, request.cluster_id(), request.gid()));
  KDB_RETURN_IF_ERROR(CheckAddress(state->catalog(), request));
  memberpb::ChangeMembersRequest named = request;
  named.set_cluster_id(state->catalog().cluster_id());
  return rpc::AskLeader(members, [&](const std::string& address, std::string* hint) {
    return admin_.ChangeMembers(address, named, Within(kMembersTimeout, deadline), reply, hint);
  });
}

absl::Status Operations::ListMembers(const memberpb::ListMembersRequest& request,
                                     SteadyTime deadline, memberpb::ListMembersReply* reply) {
  KDB_ASSIGN_OR_RETURN(StatePtr state, Fresh(deadline));
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> members,
                       MembersOf(*state, request.cluster_id(), request.gid()));
  memberpb::ListMembersRequest named = request;
  named.set_cluster_id(state->catalog().cluster_id());
  return rpc::AskLeader(members, [&](const std::string& address, std::string* hint) {
    return admin_.ListMembers(address, named, Within(kMembersTimeout, deadline), reply, hint);
  });
}

absl::StatusOr<uint64_t> Operations::Report(const metapb::ReportRequest& request,
                                            SteadyTime deadline) {
  KDB_RETURN_IF_ERROR(log_.CheckLeader());
  StatePtr state = hub_.Latest();
  if (request.cluster_id() != state->catalog().cluster_id()) {
    return absl::FailedPreconditionError(fmt::format(
        "this is cluster {}, not {}", state->catalog().cluster_id(), request.cluster_id()));
  }
  const catalog::Group* group = FindGroup(*state, request.gid());
  // Once a second from every group: only a change is worth a log entry.
  if (group != nullptr && request.members_index() > group->members_index()) {
    metalog::Command command;
    metalog::ReportMembers* report = command.mutable_report_members();
    report->set_gid(request.gid());
    report->set_index(request.members_index());
    report->mutable_members()->CopyFrom(request.members());
    KDB_RETURN_IF_ERROR(log_.Propose(command, deadline).status());
    state = hub_.Latest();
    group = FindGroup(*state, request.gid());
  }
  if (group != nullptr && request.term() <= group->leader_term()) return state->catalog().version();
  metalog::Command command;
  command.mutable_report_leader()->set_gid(request.gid());
  command.mutable_report_leader()->set_leader(request.leader());
  command.mutable_report_leader()->set_term(request.term());
  return log_.Propose(command, deadline);
}

absl::StatusOr<StatePtr> Operations::Fresh(SteadyTime deadline) {
  KDB_RETURN_IF_ERROR(log_.CheckLeader());
  KDB_RETURN_IF_ERROR(log_.Barrier(deadline));
  return hub_.Latest();
}

absl::StatusOr<std::vector<catalog::Member>> Operations::Identify(
    uint64_t gid, const std::vector<std::string>& addresses) {
  if (addresses.empty()) {
    return absl::InvalidArgumentError(
        fmt::format("group {} is not registered: name its servers", gid));
  }
  std::vector<catalog::Member> members;
  auto replies = admin_.Identify(addresses, kIdentifyTimeout);
  for (size_t i = 0; i < replies.size(); ++i) {
    KDB_RETURN_IF_ERROR(replies[i].status());
    if (!replies[i]->cluster_id().empty()) {
      return absl::FailedPreconditionError(fmt::format(
          "the directory of server {} belongs to group {} of cluster {} for life: it needs an "
          "empty one",
          addresses[i], replies[i]->gid(), replies[i]->cluster_id()));
    }
    catalog::Member& member = members.emplace_back();
    member.set_id(i + 1);
    member.set_uuid(replies[i]->uuid());
    member.set_address(addresses[i]);
  }
  return members;
}

absl::Status Operations::RegisterServers(uint64_t gid, const std::vector<std::string>& addresses,
                                         SteadyTime deadline) {
  KDB_ASSIGN_OR_RETURN(std::vector<catalog::Member> members, Identify(gid, addresses));
  metalog::Command command;
  command.mutable_register_group()->set_gid(gid);
  command.mutable_register_group()->mutable_members()->Assign(members.begin(), members.end());
  return log_.Propose(command, deadline).status();
}

absl::Status Operations::DecideBirth(uint64_t gid, SteadyTime deadline) {
  StatePtr state = hub_.Latest();
  const catalog::Group* group = FindGroup(*state, gid);
  if (group == nullptr) return absl::NotFoundError(fmt::format("group {} has just left", gid));
  metalog::Command command;
  catalog::BirthCertificate* birth = command.mutable_decide_birth()->mutable_certificate();
  birth->set_cluster_id(state->catalog().cluster_id());
  birth->set_gid(gid);
  birth->mutable_hash_seed()->CopyFrom(state->catalog().hash_seed());
  birth->mutable_members()->CopyFrom(group->members());
  return log_.Propose(command, deadline).status();
}

absl::Status Operations::WaitForGroup(uint64_t gid, SteadyTime deadline, const char* what,
                                      absl::FunctionRef<bool(const metalog::State&)> condition) {
  bool done = false;
  absl::Status status = hub_.WaitUntil(deadline, [&](const metalog::State& state) {
    done = condition(state);
    return done || !log_.IsLeader();
  });
  if (status.ok()) return done ? status : log_.CheckLeader();
  if (!absl::IsDeadlineExceeded(status)) return status;
  return absl::UnavailableError(
      fmt::format("group {} {}: {}", gid, what, Text(reconciler_.Trouble(gid))));
}

}  // namespace kdb::meta

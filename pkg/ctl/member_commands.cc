#include "pkg/ctl/member_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/rpc/ask_leader.h"

namespace kdb::ctl {
namespace {

constexpr std::chrono::milliseconds kLookEvery{200};
constexpr std::chrono::milliseconds kServerTimeout{3000};

std::string GroupName(uint64_t gid) {
  return gid == 0 ? "the meta group" : fmt::format("group {}", gid);
}

std::string RoleOf(const catalog::Member& member) {
  if (member.role() == catalog::Member::VOTER) return "voter";
  return member.replaces() == 0 ? "learner" : fmt::format("learner for {}", member.replaces());
}

std::string StateOf(const memberpb::MemberView& view, uint64_t leader) {
  if (view.member().id() == leader) return "leader";
  if (view.suspect()) return "lost entries that it had acknowledged: replace it";
  if (!view.waits_for().empty()) return view.waits_for();
  return view.active() ? "well" : "not heard of";
}

nlohmann::json ToJson(const memberpb::ListMembersReply& group) {
  nlohmann::json members = nlohmann::json::array();
  for (const memberpb::MemberView& view : group.members()) {
    const catalog::Member& member = view.member();
    members.push_back({{"id", member.id()},
                       {"address", member.address()},
                       {"uuid", member.uuid()},
                       {"role", member.role() == catalog::Member::VOTER ? "voter" : "learner"},
                       {"replaces", member.replaces()},
                       {"leader", member.id() == group.leader()},
                       {"active", view.active()},
                       {"suspect", view.suspect()},
                       {"match", view.match()},
                       {"waits_for", view.waits_for()}});
  }
  return {{"cluster", group.cluster_id()},
          {"group", group.gid()},
          {"term", group.term()},
          {"last_index", group.last_index()},
          {"highest_id", group.highest_id()},
          {"members", members}};
}

const memberpb::MemberView* Find(const memberpb::ListMembersReply& group, uint64_t id) {
  for (const memberpb::MemberView& view : group.members()) {
    if (view.member().id() == id) return &view;
  }
  return nullptr;
}

}  // namespace

std::string FormatMembers(const memberpb::ListMembersReply& group, Output output) {
  if (output == Output::kJson) return ToJson(group).dump(2) + "\n";
  constexpr const char* kRow = "  {:<4}{:<24}{:<15}{:>12}  {}\n";
  std::string text = fmt::format("{} of cluster {}, term {}\n", GroupName(group.gid()),
                                 group.cluster_id(), group.term());
  text += fmt::format(kRow, "ID", "ADDRESS", "ROLE", "ENTRIES", "STATE");
  for (const memberpb::MemberView& view : group.members()) {
    const catalog::Member& member = view.member();
    text += fmt::format(kRow, member.id(), member.address(), RoleOf(member), view.match(),
                        StateOf(view, group.leader()));
  }
  return text;
}

MemberCommands::MemberCommands(const ClusterOptions& options, const MemberArgs& args)
    : options_(options),
      args_(args),
      deadline_(Clock::now() + options.timeout),
      meta_({.seeds = options.meta}, Random(SystemSeed())) {}

MemberCommands::Clock::duration MemberCommands::Left() const {
  return std::max(deadline_ - Clock::now(), Clock::duration::zero());
}

absl::Status MemberCommands::AskServer(
    absl::FunctionRef<absl::Status(const std::string& address, std::string* hint)> ask) const {
  while (true) {
    absl::Status status = rpc::AskLeader({args_.server}, ask);
    if (!absl::IsUnavailable(status) || Left() <= kLookEvery) return status;
    std::this_thread::sleep_for(kLookEvery);
  }
}

absl::StatusOr<uint64_t> MemberCommands::Change(const memberpb::ChangeMembersRequest& request) {
  const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(Left());
  memberpb::ChangeMembersReply reply;
  if (args_.server.empty()) {
    KDB_ASSIGN_OR_RETURN(reply, meta_.ChangeMembers(request, timeout));
    return reply.id();
  }
  KDB_RETURN_IF_ERROR(AskServer([&](const std::string& address, std::string* hint) {
    return admin_.ChangeMembers(address, request, kServerTimeout, &reply, hint);
  }));
  return reply.id();
}

absl::StatusOr<memberpb::ListMembersReply> MemberCommands::Ask(uint64_t gid) {
  memberpb::ListMembersRequest request;
  request.set_cluster_id(args_.cluster_id);
  request.set_gid(gid);
  if (args_.server.empty()) {
    return meta_.ListMembers(request, std::chrono::ceil<std::chrono::milliseconds>(Left()));
  }
  memberpb::ListMembersReply reply;
  KDB_RETURN_IF_ERROR(AskServer([&](const std::string& address, std::string* hint) {
    return admin_.ListMembers(address, request, kServerTimeout, &reply, hint);
  }));
  return reply;
}

absl::Status MemberCommands::List(uint64_t gid) {
  KDB_ASSIGN_OR_RETURN(memberpb::ListMembersReply group, Ask(gid));
  fmt::print("{}", FormatMembers(group, options_.output));
  return absl::OkStatus();
}

absl::Status MemberCommands::ListAll() {
  if (!args_.server.empty()) {
    return absl::InvalidArgumentError("--server knows one group: name it (0: meta)");
  }
  KDB_ASSIGN_OR_RETURN(metapb::QueryReply reply, meta_.Query(options_.timeout));
  KDB_RETURN_IF_ERROR(List(0));
  for (const catalog::Group& group : reply.catalog().groups()) {
    if (group.state() != catalog::Group::REGISTERED) KDB_RETURN_IF_ERROR(List(group.gid()));
  }
  return absl::OkStatus();
}

memberpb::ChangeMembersRequest MemberCommands::Request(uint64_t gid) const {
  memberpb::ChangeMembersRequest request;
  request.set_cluster_id(args_.cluster_id);
  request.set_gid(gid);
  return request;
}

absl::Status MemberCommands::Add(uint64_t gid, const std::string& address) {
  memberpb::ChangeMembersRequest request = Request(gid);
  request.mutable_add()->set_address(address);
  return Come(request);
}

absl::Status MemberCommands::Replace(uint64_t gid, uint64_t id, const std::string& address) {
  memberpb::ChangeMembersRequest request = Request(gid);
  request.mutable_replace()->set_id(id);
  request.mutable_replace()->set_address(address);
  return Come(request);
}

absl::Status MemberCommands::Remove(uint64_t gid, uint64_t id) {
  memberpb::ChangeMembersRequest request = Request(gid);
  request.mutable_remove()->set_id(id);
  KDB_RETURN_IF_ERROR(Change(request).status());
  return Say(id, fmt::format("member {} of {} is removed: stop its server, its directory is of no "
                             "use any more",
                             id, GroupName(gid)));
}

absl::Status MemberCommands::Update(uint64_t gid, uint64_t id, const std::string& address) {
  memberpb::ChangeMembersRequest request = Request(gid);
  request.mutable_update()->set_id(id);
  request.mutable_update()->set_address(address);
  KDB_RETURN_IF_ERROR(Change(request).status());
  return Say(id, fmt::format("member {} of {} is at {}", id, GroupName(gid), address));
}

absl::Status MemberCommands::Come(const memberpb::ChangeMembersRequest& request) {
  KDB_ASSIGN_OR_RETURN(uint64_t id, Change(request));
  const uint64_t gid = request.gid();
  if (args_.wait) {
    KDB_RETURN_IF_ERROR(WaitForVoter(gid, id));
    return Say(id, fmt::format("member {} of {} votes", id, GroupName(gid)));
  }
  return Say(id, fmt::format("member {} of {} is a learner, and votes when it has caught up: "
                             "kdbctl member list {}",
                             id, GroupName(gid), gid));
}

absl::Status MemberCommands::WaitForVoter(uint64_t gid, uint64_t id) {
  std::string waits_for = "the group does not answer";
  while (true) {
    absl::StatusOr<memberpb::ListMembersReply> group = Ask(gid);
    if (group.ok()) {
      const memberpb::MemberView* view = Find(*group, id);
      if (view == nullptr) {
        return absl::FailedPreconditionError(
            fmt::format("member {} of {} was removed meanwhile", id, GroupName(gid)));
      }
      if (view->member().role() == catalog::Member::VOTER) return absl::OkStatus();
      waits_for = view->waits_for();
    }
    if (Left() <= kLookEvery) break;
    std::this_thread::sleep_for(kLookEvery);
  }
  return absl::DeadlineExceededError(
      fmt::format("member {} of {} does not vote yet: {}. It goes on: kdbctl member list {}", id,
                  GroupName(gid), waits_for, gid));
}

absl::Status MemberCommands::Say(uint64_t id, const std::string& text) const {
  fmt::print("{}\n", options_.output == Output::kJson ? nlohmann::json{{"id", id}}.dump() : text);
  return absl::OkStatus();
}

}  // namespace kdb::ctl

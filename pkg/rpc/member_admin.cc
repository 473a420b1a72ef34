#include "pkg/rpc/member_admin.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/not_leader.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {
namespace {

// Who a directory is, in either reply that says so.
template <typename Reply>
void FillIdentity(const raftnode::Identity& identity, Reply* reply) {
  reply->set_uuid(identity.uuid);
  std::optional<catalog::Member> self = identity.self();
  if (!self.has_value()) return;
  reply->set_cluster_id(identity.birth->cluster_id());
  reply->set_gid(identity.birth->gid());
  reply->set_member_id(self->id());
}

void FillRaft(const raft::RaftStatus& raft, shardpb::StatusReply* reply) {
  reply->set_leader(raft.leader);
  reply->set_term(raft.term);
  reply->set_commit(raft.commit);
  reply->set_applied(raft.applied);
  reply->set_last_index(raft.last_index);
  reply->set_role(std::string(raftnode::RoleName(raft.role)));
  for (const raft::ProgressStatus& progress : raft.progress) {
    shardpb::MemberStatus* member = reply->add_progress();
    member->set_id(progress.id);
    member->set_match(progress.match);
    member->set_active(progress.recent_active);
    member->set_learner(progress.learner);
  }
}

void Change(const memberpb::ChangeMembersRequest& request, raftnode::MemberKeeper& keeper,
            raftnode::MemberKeeper::Done done) {
  switch (request.change_case()) {
    case memberpb::ChangeMembersRequest::kAdd:
      return keeper.Add(request.add().address(), std::move(done));
    case memberpb::ChangeMembersRequest::kReplace:
      return keeper.Replace(request.replace().id(), request.replace().address(), std::move(done));
    case memberpb::ChangeMembersRequest::kRemove:
      return keeper.Remove(request.remove().id(), std::move(done));
    case memberpb::ChangeMembersRequest::kUpdate:
      return keeper.Update(request.update().id(), request.update().address(), std::move(done));
    case memberpb::ChangeMembersRequest::CHANGE_NOT_SET:
      return done(absl::InvalidArgumentError("the call names no change that is known here"));
  }
}

memberpb::MemberView ToView(const catalog::Member& member,
                            const raftnode::MemberKeeper::List& list) {
  memberpb::MemberView view;
  *view.mutable_member() = member;
  for (const raft::ProgressStatus& progress : list.status.progress) {
    if (progress.id != member.id()) continue;
    view.set_match(progress.match);
    view.set_active(progress.recent_active || progress.id == list.status.id);
    view.set_suspect(progress.suspect);
  }
  auto waits_for = list.waits_for.find(member.id());
  if (waits_for != list.waits_for.end()) view.set_waits_for(waits_for->second);
  return view;
}

void Finish(grpc::ServerUnaryReactor* reactor, grpc::CallbackServerContext& context,
            const absl::Status& status) {
  SetLeaderHint(context, raftnode::LeaderOf(status));
  reactor->Finish(ToGrpc(status));
}

}  // namespace

MemberAdmin::MemberAdmin(const raftnode::DataDirectory& directory, std::string version,
                         obs::Logger logger)
    : directory_(directory), version_(std::move(version)), logger_(std::move(logger)) {}

grpc::ServerUnaryReactor* MemberAdmin::Answer(grpc::CallbackServerContext* context,
                                              const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status MemberAdmin::NoMember() const {
  absl::Status quarantined = directory_.Quarantined();
  return absl::FailedPreconditionError(
      quarantined.ok() ? "this server is passive: no birth certificate names it yet"
                       : quarantined.message());
}

grpc::ServerUnaryReactor* MemberAdmin::Identify(grpc::CallbackServerContext* context,
                                                const shardpb::IdentifyRequest*,
                                                shardpb::IdentifyReply* reply) {
  const raftnode::Identity identity = directory_.identity();
  FillIdentity(identity, reply);
  reply->set_program(std::string(raftnode::ProgramOf(identity.kind)));
  reply->set_follows(follows());
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MemberAdmin::Status(grpc::CallbackServerContext* context,
                                              const shardpb::StatusRequest*,
                                              shardpb::StatusReply* reply) {
  FillIdentity(directory_.identity(), reply);
  reply->set_version(version_);
  const absl::Status quarantined = directory_.Quarantined();
  reply->set_role(quarantined.ok() ? "passive" : "quarantined");
  reply->set_trouble(std::string(quarantined.message()));
  if (auto raft = FillStatus(reply)) FillRaft(*raft, reply);
  return Answer(context, absl::OkStatus());
}

absl::StatusOr<std::shared_ptr<raftnode::MemberKeeper>> MemberAdmin::KeeperOf(
    const std::string& cluster_id, uint64_t gid) const {
  auto keeper = this->keeper();
  if (keeper == nullptr) return absl::UnimplementedError(NoMember().message());
  KDB_RETURN_IF_ERROR(keeper->CheckGroup(cluster_id, gid));
  return keeper;
}

grpc::ServerUnaryReactor* MemberAdmin::ChangeMembers(grpc::CallbackServerContext* context,
                                                     const memberpb::ChangeMembersRequest* request,
                                                     memberpb::ChangeMembersReply* reply) {
  auto keeper = KeeperOf(request->cluster_id(), request->gid());
  if (!keeper.ok()) return Answer(context, keeper.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Change(*request, **keeper, [context, reactor, reply](absl::StatusOr<raft::NodeId> id) {
    if (id.ok()) reply->set_id(*id);
    Finish(reactor, *context, id.status());
  });
  return reactor;
}

grpc::ServerUnaryReactor* MemberAdmin::ListMembers(grpc::CallbackServerContext* context,
                                                   const memberpb::ListMembersRequest* request,
                                                   memberpb::ListMembersReply* reply) {
  auto keeper = KeeperOf(request->cluster_id(), request->gid());
  if (!keeper.ok()) return Answer(context, keeper.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto list = (*keeper)->Members();
  if (!list.ok()) {
    Finish(reactor, *context, list.status());
    return reactor;
  }
  reply->set_cluster_id((*keeper)->birth().cluster_id());
  reply->set_gid(request->gid());
  reply->set_leader(list->status.leader);
  reply->set_term(list->status.term);
  reply->set_last_index(list->status.last_index);
  reply->set_highest_id(list->membership.highest_id);
  for (const auto& [_, member] : list->membership.members) {
    *reply->add_members() = ToView(member, *list);
  }
  Finish(reactor, *context, absl::OkStatus());
  return reactor;
}

grpc::ServerUnaryReactor* MemberAdmin::SetLogLevel(grpc::CallbackServerContext* context,
                                                   const shardpb::SetLogLevelRequest* request,
                                                   shardpb::SetLogLevelReply*) {
  absl::Status status = obs::SetLogLevel(*logger_, request->level());
  if (status.ok()) logger_->info("log level is now {}", request->level());
  return Answer(context, status);
}

}  // namespace kdb::rpc

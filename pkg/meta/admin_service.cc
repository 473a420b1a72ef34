#include "pkg/meta/admin_service.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::seconds kTransferTimeout{5};

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

const char* RoleName(raft::Role role) {
  switch (role) {
    case raft::Role::kLeader:
      return "leader";
    case raft::Role::kFollower:
      return "follower";
    default:
      return "candidate";
  }
}

void FillRaft(const raft::RaftStatus& raft, shardpb::StatusReply* reply) {
  reply->set_leader(raft.leader);
  reply->set_term(raft.term);
  reply->set_commit(raft.commit);
  reply->set_applied(raft.applied);
  reply->set_last_index(raft.last_index);
  reply->set_role(RoleName(raft.role));
  for (const raft::ProgressStatus& progress : raft.progress) {
    shardpb::MemberStatus* member = reply->add_progress();
    member->set_id(progress.id);
    member->set_match(progress.match);
    member->set_active(progress.recent_active);
    member->set_learner(progress.learner);
  }
}

}  // namespace

template <typename Body>
grpc::ServerUnaryReactor* AdminService::RunOn(grpc::CallbackServerContext* context, Body body) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto task = [reactor, context, body = std::move(body)] {
    absl::Status status = body();
    if (!status.ok()) rpc::SetLeaderHint(*context, LeaderOf(status));
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!parts_.calls.Post(std::move(task))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait for this server"});
  }
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::Identify(grpc::CallbackServerContext* context,
                                                 const shardpb::IdentifyRequest*,
                                                 shardpb::IdentifyReply* reply) {
  raftnode::Identity identity = parts_.founding.identity();
  reply->set_uuid(identity.uuid);
  if (auto self = identity.self()) {
    reply->set_cluster_id(identity.birth->cluster_id());
    reply->set_gid(identity.birth->gid());
    reply->set_member_id(self->id());
  }
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::AcceptBirth(grpc::CallbackServerContext* context,
                                                    const shardpb::AcceptBirthRequest* request,
                                                    shardpb::AcceptBirthReply*) {
  return RunOn(context, [this, request] { return parts_.founding.Accept(request->certificate()); });
}

grpc::ServerUnaryReactor* AdminService::Status(grpc::CallbackServerContext* context,
                                               const shardpb::StatusRequest*,
                                               shardpb::StatusReply* reply) {
  raftnode::Identity identity = parts_.founding.identity();
  reply->set_uuid(identity.uuid);
  reply->set_version(parts_.version);
  reply->set_role("passive");
  if (auto self = identity.self()) {
    reply->set_cluster_id(identity.birth->cluster_id());
    reply->set_gid(identity.birth->gid());
    reply->set_member_id(self->id());
  }
  if (auto raft = parts_.replica.Status(); raft.ok()) FillRaft(*raft, reply);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::TransferLeader(
    grpc::CallbackServerContext* context, const shardpb::TransferLeaderRequest* request,
    shardpb::TransferLeaderReply*) {
  return RunOn(context, [this, request]() -> absl::Status {
    KDB_RETURN_IF_ERROR(parts_.replica.CheckLeader());
    return parts_.replica.TransferLeader(request->target(),
                                         std::chrono::steady_clock::now() + kTransferTimeout);
  });
}

grpc::ServerUnaryReactor* AdminService::OwnSlots(grpc::CallbackServerContext* context,
                                                 const shardpb::OwnSlotsRequest*,
                                                 shardpb::OwnSlotsReply*) {
  return Answer(context, absl::UnimplementedError("a meta server owns no slots"));
}

grpc::ServerUnaryReactor* AdminService::Query(grpc::CallbackServerContext* context,
                                              const shardpb::QueryRequest*,
                                              shardpb::QueryReply* reply) {
  StatePtr state = parts_.hub.Latest();
  if (state == nullptr) {
    return Answer(context, absl::UnavailableError("this meta server is not bootstrapped"));
  }
  *reply->mutable_catalog() = state->catalog();
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::SetLogLevel(grpc::CallbackServerContext* context,
                                                    const shardpb::SetLogLevelRequest* request,
                                                    shardpb::SetLogLevelReply*) {
  return Answer(context, obs::SetLogLevel(*parts_.logger, request->level()));
}

}  // namespace kdb::meta

#include "pkg/server/admin_service.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/rpc/channel.h"

namespace kdb::server {
namespace {

grpc::ServerUnaryReactor* Finish(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(rpc::ToGrpc(status));
  return reactor;
}

absl::Status Passive() {
  return absl::FailedPreconditionError("this server is passive: no birth certificate names it yet");
}

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

void FillStatus(GroupMember& member, shardpb::StatusReply* reply) {
  raft::RaftStatus raft = member.replica().RaftStatus();
  kv::ShardStats shard = member.replica().ShardStats();
  reply->set_cluster_id(member.birth().cluster_id());
  reply->set_gid(member.birth().gid());
  reply->set_member_id(member.id());
  reply->set_leader(raft.leader);
  reply->set_term(raft.term);
  reply->set_commit(raft.commit);
  reply->set_applied(raft.applied);
  reply->set_last_index(raft.last_index);
  reply->set_role(std::string(RoleName(raft.role)));
  reply->set_keys(shard.keys);
  reply->set_bytes(member.EngineBytes());
  exec::SlotSet owned = member.replica().owned();
  for (uint32_t slot = 0; slot < shard::kSlots; ++slot) {
    if (owned[slot]) reply->add_slots(slot);
  }
  for (const raft::ProgressStatus& p : raft.progress) {
    shardpb::MemberStatus* m = reply->add_progress();
    m->set_id(p.id);
    m->set_match(p.match);
    m->set_active(p.recent_active);
    m->set_learner(p.learner);
  }
}

}  // namespace

AdminService::AdminService(AdminBackend& backend, CatalogCache& catalog, std::string version,
                           obs::Logger logger)
    : backend_(backend),
      catalog_(catalog),
      version_(std::move(version)),
      logger_(std::move(logger)) {}

grpc::ServerUnaryReactor* AdminService::Identify(grpc::CallbackServerContext* context,
                                                 const shardpb::IdentifyRequest*,
                                                 shardpb::IdentifyReply* reply) {
  raftnode::Identity identity = backend_.identity();
  reply->set_uuid(identity.uuid);
  if (identity.birth.has_value()) {
    reply->set_cluster_id(identity.birth->cluster_id());
    reply->set_gid(identity.birth->gid());
    reply->set_member_id(identity.self()->id());
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::AcceptBirth(grpc::CallbackServerContext* context,
                                                    const shardpb::AcceptBirthRequest* request,
                                                    shardpb::AcceptBirthReply*) {
  if (request->certificate().gid() == 0) {
    return Finish(context,
                  absl::InvalidArgumentError(
                      "this is a kv server: a certificate of the meta group is not for it"));
  }
  const std::string& cluster_id = request->certificate().cluster_id();
  if (absl::Status s = catalog_.CheckCluster(cluster_id); !s.ok()) return Finish(context, s);
  absl::Status accepted = backend_.AcceptBirth(request->certificate());
  if (accepted.ok()) catalog_.Adopt(cluster_id);
  return Finish(context, accepted);
}

grpc::ServerUnaryReactor* AdminService::Status(grpc::CallbackServerContext* context,
                                               const shardpb::StatusRequest*,
                                               shardpb::StatusReply* reply) {
  reply->set_uuid(backend_.identity().uuid);
  reply->set_version(version_);
  reply->set_role("passive");
  if (auto member = backend_.member()) FillStatus(*member, reply);
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::TransferLeader(
    grpc::CallbackServerContext* context, const shardpb::TransferLeaderRequest* request,
    shardpb::TransferLeaderReply*) {
  auto member = backend_.member();
  if (member == nullptr) return Finish(context, Passive());
  if (!member->replica().leads()) rpc::SetLeaderHint(*context, member->replica().LeaderAddress());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  member->replica().TransferLeader(
      request->target(), [reactor](absl::Status status) { reactor->Finish(rpc::ToGrpc(status)); });
  return reactor;
}

grpc::ServerUnaryReactor* AdminService::OwnSlots(grpc::CallbackServerContext* context,
                                                 const shardpb::OwnSlotsRequest* request,
                                                 shardpb::OwnSlotsReply*) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  LogOwnership(*request, *context, reactor);
  return reactor;
}

void AdminService::LogOwnership(const shardpb::OwnSlotsRequest& request,
                                grpc::CallbackServerContext& context,
                                grpc::ServerUnaryReactor* reactor) {
  auto member = backend_.member();
  if (member == nullptr) return reactor->Finish(rpc::ToGrpc(Passive()));
  const catalog::BirthCertificate& birth = member->birth();
  if (request.cluster_id() != birth.cluster_id() || request.gid() != birth.gid()) {
    return reactor->Finish(rpc::ToGrpc(absl::FailedPreconditionError(
        fmt::format("this is a member of group {} of cluster {}, not of group {} of cluster {}",
                    birth.gid(), birth.cluster_id(), request.gid(), request.cluster_id()))));
  }
  kv::OwnSlots own{.slots = {}, .epoch = request.epoch(), .assignment = request.assignment()};
  for (uint32_t slot : request.slots()) {
    if (slot >= shard::kSlots) {
      return reactor->Finish(rpc::ToGrpc(
          absl::InvalidArgumentError(fmt::format("slot {} is out of range: 0 to 1023", slot))));
    }
    own.slots.push_back(static_cast<shard::Slot>(slot));
  }
  if (!member->replica().leads()) rpc::SetLeaderHint(context, member->replica().LeaderAddress());
  member->replica().OwnSlots(
      own, [reactor](absl::Status status) { reactor->Finish(rpc::ToGrpc(status)); });
}

grpc::ServerUnaryReactor* AdminService::Query(grpc::CallbackServerContext* context,
                                              const shardpb::QueryRequest*,
                                              shardpb::QueryReply* reply) {
  *reply->mutable_catalog() = catalog_.Get();
  if (reply->catalog().version() == 0) {
    return Finish(context, absl::UnavailableError("this server has not seen a catalog yet"));
  }
  return Finish(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* AdminService::SetLogLevel(grpc::CallbackServerContext* context,
                                                    const shardpb::SetLogLevelRequest* request,
                                                    shardpb::SetLogLevelReply*) {
  absl::Status status = obs::SetLogLevel(*logger_, request->level());
  if (status.ok()) logger_->info("log level is now {}", request->level());
  return Finish(context, status);
}

}  // namespace kdb::server

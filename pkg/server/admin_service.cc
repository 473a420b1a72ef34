#include "pkg/server/admin_service.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/rpc/channel.h"

namespace kdb::server {
AdminService::AdminService(const raftnode::DataDirectory& directory, AdminBackend& backend,
                           CatalogCache& catalog, const std::string& version,
                           const obs::Logger& logger)
    : MemberAdmin(directory, version, logger), backend_(backend), catalog_(catalog) {}

grpc::ServerUnaryReactor* AdminService::AcceptBirth(grpc::CallbackServerContext* context,
                                                    const shardpb::AcceptBirthRequest* request,
                                                    shardpb::AcceptBirthReply*) {
  const std::string& cluster_id = request->certificate().cluster_id();
  if (absl::Status s = catalog_.CheckCluster(cluster_id); !s.ok()) return Answer(context, s);
  absl::Status accepted = backend_.AcceptBirth(request->certificate());
  if (accepted.ok()) catalog_.Adopt(cluster_id);
  return Answer(context, accepted);
}

std::optional<raft::RaftStatus> AdminService::FillStatus(shardpb::StatusReply* reply) const {
  auto member = backend_.member();
  if (member == nullptr) return std::nullopt;
  reply->set_keys(member->replica().ShardStats().keys);
  reply->set_bytes(member->EngineBytes());
  reply->set_trouble(member->replica().Trouble());
  exec::SlotSet owned = member->replica().owned();
  for (uint32_t slot = 0; slot < shard::kSlots; ++slot) {
    if (owned[slot]) reply->add_slots(slot);
  }
  return member->replica().RaftStatus();
}

std::shared_ptr<raftnode::MemberKeeper> AdminService::keeper() const {
  auto member = backend_.member();
  if (member == nullptr) return nullptr;
  return {member, &member->keeper()};
}

grpc::ServerUnaryReactor* AdminService::TransferLeader(
    grpc::CallbackServerContext* context, const shardpb::TransferLeaderRequest* request,
    shardpb::TransferLeaderReply*) {
  auto member = backend_.member();
  if (member == nullptr) return Answer(context, NoMember());
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
  if (member == nullptr) return reactor->Finish(rpc::ToGrpc(NoMember()));
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
    return Answer(context, absl::UnavailableError("this server has not seen a catalog yet"));
  }
  return Answer(context, absl::OkStatus());
}

}  // namespace kdb::server

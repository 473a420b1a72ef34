#include "pkg/meta/admin_service.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/raftnode/not_leader.h"
#include "pkg/rpc/channel.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::seconds kTransferTimeout{5};

}  // namespace

template <typename Body>
grpc::ServerUnaryReactor* AdminService::RunOn(grpc::CallbackServerContext* context, Body body) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto task = [reactor, context, body = std::move(body)] {
    absl::Status status = body();
    if (!status.ok()) rpc::SetLeaderHint(*context, raftnode::LeaderOf(status));
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!parts_.calls.Post(std::move(task))) {
    reactor->Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait for this server"});
  }
  return reactor;
}

std::optional<raft::RaftStatus> AdminService::FillStatus(shardpb::StatusReply*) const {
  absl::StatusOr<raft::RaftStatus> status = parts_.log.Status();
  return status.ok() ? std::optional(*status) : std::nullopt;
}

std::shared_ptr<raftnode::MemberKeeper> AdminService::keeper() const {
  auto member = parts_.member.Use();
  if (member == nullptr) return nullptr;
  return {member, &member->keeper()};
}

grpc::ServerUnaryReactor* AdminService::AcceptBirth(grpc::CallbackServerContext* context,
                                                    const shardpb::AcceptBirthRequest* request,
                                                    shardpb::AcceptBirthReply*) {
  return RunOn(context, [this, request] { return parts_.founding.Accept(request->certificate()); });
}

grpc::ServerUnaryReactor* AdminService::TransferLeader(
    grpc::CallbackServerContext* context, const shardpb::TransferLeaderRequest* request,
    shardpb::TransferLeaderReply*) {
  return RunOn(context, [this, request]() -> absl::Status {
    KDB_RETURN_IF_ERROR(parts_.log.CheckLeader());
    return parts_.log.TransferLeader(request->target(),
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

}  // namespace kdb::meta

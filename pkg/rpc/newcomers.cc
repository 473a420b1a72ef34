#include "pkg/rpc/newcomers.h"

#include <chrono>

#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::rpc {
namespace {

constexpr std::chrono::milliseconds kTimeout{1000};

void SetTimeout(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
}

}  // namespace

absl::StatusOr<raftnode::Newcomer> AdminNewcomers::Identify(const std::string& address) {
  grpc::ClientContext context;
  SetTimeout(context);
  shardpb::IdentifyReply reply;
  auto stub = shardpb::Admin::NewStub(NewChannel(address, "newcomer"));
  KDB_RETURN_IF_ERROR(FromGrpc(stub->Identify(&context, {}, &reply)));
  return raftnode::Newcomer{.uuid = reply.uuid(),
                            .program = reply.program(),
                            .cluster_id = reply.cluster_id(),
                            .gid = reply.gid(),
                            .member_id = reply.member_id(),
                            .follows = reply.follows()};
}

absl::Status AdminNewcomers::AcceptBirth(const std::string& address,
                                         const catalog::BirthCertificate& certificate) {
  grpc::ClientContext context;
  SetTimeout(context);
  shardpb::AcceptBirthRequest request;
  *request.mutable_certificate() = certificate;
  shardpb::AcceptBirthReply reply;
  auto stub = shardpb::Admin::NewStub(NewChannel(address, "newcomer"));
  return FromGrpc(stub->AcceptBirth(&context, request, &reply));
}

}  // namespace kdb::rpc

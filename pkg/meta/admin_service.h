// The gRPC Admin service as meta servers offer it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>

#include "pkg/meta/catalog_log.h"
#include "pkg/meta/founding.h"
#include "pkg/meta/group_member.h"
#include "pkg/meta/worker_pool.h"
#include "pkg/raftnode/member_slot.h"
#include "pkg/rpc/member_admin.h"

namespace kdb::meta {

class AdminService final : public rpc::MemberAdmin {
 public:
  // All references outlive the service; the pool is stopped after the gRPC server.
  struct Parts {
    Founding& founding;
    CatalogLog& log;
    StateHub& hub;
    const raftnode::MemberSlot<GroupMember>& member;
    WorkerPool& calls;
  };
  AdminService(const raftnode::DataDirectory& directory, const std::string& version,
               const obs::Logger& logger, const Parts& parts)
      : MemberAdmin(directory, version, logger), parts_(parts) {}

  grpc::ServerUnaryReactor* AcceptBirth(grpc::CallbackServerContext* context,
                                        const shardpb::AcceptBirthRequest* request,
                                        shardpb::AcceptBirthReply* reply) override;
  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext* context,
                                           const shardpb::TransferLeaderRequest* request,
                                           shardpb::TransferLeaderReply* reply) override;
  grpc::ServerUnaryReactor* OwnSlots(grpc::CallbackServerContext* context,
                                     const shardpb::OwnSlotsRequest* request,
                                     shardpb::OwnSlotsReply* reply) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext* context,
                                  const shardpb::QueryRequest* request,
                                  shardpb::QueryReply* reply) override;

 private:
  std::optional<raft::RaftStatus> FillStatus(shardpb::StatusReply*) const override;
  std::shared_ptr<raftnode::MemberKeeper> keeper() const override;
  template <typename Body>
  grpc::ServerUnaryReactor* RunOn(grpc::CallbackServerContext* context, Body body);

  const Parts parts_;
};

}  // namespace kdb::meta

// The Admin service as far as every kind of member answers it alike.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/obs/log.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/data_directory.h"
#include "pkg/raftnode/member_keeper.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::rpc {

// Thread-safe.
class MemberAdmin : public shardpb::Admin::CallbackService {
 public:
  grpc::ServerUnaryReactor* Identify(grpc::CallbackServerContext* context,
                                     const shardpb::IdentifyRequest* request,
                                     shardpb::IdentifyReply* reply) final;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const shardpb::StatusRequest* request,
                                   shardpb::StatusReply* reply) final;
  grpc::ServerUnaryReactor* ChangeMembers(grpc::CallbackServerContext* context,
                                          const memberpb::ChangeMembersRequest* request,
                                          memberpb::ChangeMembersReply* reply) final;
  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext* context,
                                        const memberpb::ListMembersRequest* request,
                                        memberpb::ListMembersReply* reply) final;
  grpc::ServerUnaryReactor* SetLogLevel(grpc::CallbackServerContext* context,
                                        const shardpb::SetLogLevelRequest* request,
                                        shardpb::SetLogLevelReply* reply) final;

 protected:
  // `directory` outlives the service. `version` is the program's.
  MemberAdmin(const raftnode::DataDirectory& directory, std::string version, obs::Logger logger);

  // The status of the member that runs here; nullopt while passive. Adds to `reply` what this kind
  // of member tells beside it.
  virtual std::optional<raft::RaftStatus> FillStatus(shardpb::StatusReply* reply) const = 0;

  // Of the member that runs here, which is not stopped before the pointer is gone; nullptr: none.
  virtual std::shared_ptr<raftnode::MemberKeeper> keeper() const = 0;
  // The cluster whose catalog a passive server has; empty: none.
  virtual std::string follows() const { return ""; }

  // Why no member runs here: FAILED_PRECONDITION.
  absl::Status NoMember() const;
  static grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                          const absl::Status& status);

 private:
  // UNIMPLEMENTED: no member of this group runs here.
  absl::StatusOr<std::shared_ptr<raftnode::MemberKeeper>> KeeperOf(const std::string& cluster_id,
                                                                   uint64_t gid) const;

  const raftnode::DataDirectory& directory_;
  const std::string version_;
  const obs::Logger logger_;
};

}  // namespace kdb::rpc

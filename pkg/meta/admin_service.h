// The gRPC Admin service as meta servers offer it.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "pkg/meta/founding.h"
#include "pkg/meta/replica.h"
#include "pkg/meta/worker_pool.h"
#include "pkg/obs/log.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::meta {

class AdminService final : public shardpb::Admin::CallbackService {
 public:
  // All references outlive the service; the pool is stopped after the gRPC server.
  struct Parts {
    Founding& founding;
    Replica& replica;
    StateHub& hub;
    WorkerPool& calls;
    obs::Logger logger;
    std::string version;  // of the program
  };
  explicit AdminService(Parts parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* Identify(grpc::CallbackServerContext* context,
                                     const shardpb::IdentifyRequest* request,
                                     shardpb::IdentifyReply* reply) override;
  grpc::ServerUnaryReactor* AcceptBirth(grpc::CallbackServerContext* context,
                                        const shardpb::AcceptBirthRequest* request,
                                        shardpb::AcceptBirthReply* reply) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext* context,
                                   const shardpb::StatusRequest* request,
                                   shardpb::StatusReply* reply) override;
  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext* context,
                                           const shardpb::TransferLeaderRequest* request,
                                           shardpb::TransferLeaderReply* reply) override;
  grpc::ServerUnaryReactor* OwnSlots(grpc::CallbackServerContext* context,
                                     const shardpb::OwnSlotsRequest* request,
                                     shardpb::OwnSlotsReply* reply) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext* context,
                                  const shardpb::QueryRequest* request,
                                  shardpb::QueryReply* reply) override;
  grpc::ServerUnaryReactor* SetLogLevel(grpc::CallbackServerContext* context,
                                        const shardpb::SetLogLevelRequest* request,
                                        shardpb::SetLogLevelReply* reply) override;

 private:
  template <typename Body>
  grpc::ServerUnaryReactor* RunOn(grpc::CallbackServerContext* context, Body body);

  const Parts parts_;
};

}  // namespace kdb::meta

// The Admin service of a kv server.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pkg/obs/log.h"
#include "pkg/raftnode/identity.h"
#include "pkg/server/catalog_cache.h"
#include "pkg/server/group_member.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::server {

// What the service asks of its server. Thread-safe.
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;
  virtual raftnode::Identity identity() const = 0;
  // Becomes a member, durably; idempotent.
  virtual absl::Status AcceptBirth(const catalog::BirthCertificate& certificate) = 0;
  // nullptr while passive. Shared: a call uses it while the server may be stopping.
  virtual std::shared_ptr<GroupMember> member() const = 0;
};

// Thread-safe. Calls are short; those that wait for the log complete in its callbacks.
class AdminService final : public shardpb::Admin::CallbackService {
 public:
  AdminService(AdminBackend& backend, CatalogCache& catalog, std::string version,
               obs::Logger logger);

  grpc::ServerUnaryReactor* Identify(grpc::CallbackServerContext*, const shardpb::IdentifyRequest*,
                                     shardpb::IdentifyReply*) override;
  grpc::ServerUnaryReactor* AcceptBirth(grpc::CallbackServerContext*,
                                        const shardpb::AcceptBirthRequest*,
                                        shardpb::AcceptBirthReply*) override;
  grpc::ServerUnaryReactor* Status(grpc::CallbackServerContext*, const shardpb::StatusRequest*,
                                   shardpb::StatusReply*) override;
  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext*,
                                           const shardpb::TransferLeaderRequest*,
                                           shardpb::TransferLeaderReply*) override;
  grpc::ServerUnaryReactor* OwnSlots(grpc::CallbackServerContext*, const shardpb::OwnSlotsRequest*,
                                     shardpb::OwnSlotsReply*) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext*, const shardpb::QueryRequest*,
                                  shardpb::QueryReply*) override;
  grpc::ServerUnaryReactor* SetLogLevel(grpc::CallbackServerContext*,
                                        const shardpb::SetLogLevelRequest*,
                                        shardpb::SetLogLevelReply*) override;

 private:
  void LogOwnership(const shardpb::OwnSlotsRequest& request, grpc::CallbackServerContext& context,
                    grpc::ServerUnaryReactor* reactor);

  AdminBackend& backend_;
  CatalogCache& catalog_;
  const std::string version_;
  const obs::Logger logger_;
};

}  // namespace kdb::server

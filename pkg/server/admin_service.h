// The Admin service of a kv server.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pkg/rpc/member_admin.h"
#include "pkg/server/catalog_cache.h"
#include "pkg/server/group_member.h"

namespace kdb::server {

// What the service asks of its server. Thread-safe.
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;
  // Becomes a member, durably; idempotent.
  virtual absl::Status AcceptBirth(const catalog::BirthCertificate& certificate) = 0;
  // nullptr while passive. Shared: a call uses it while the server may be stopping.
  virtual std::shared_ptr<GroupMember> member() const = 0;
};

// Thread-safe. Calls are short; those that wait for the log complete in its callbacks.
class AdminService final : public rpc::MemberAdmin {
 public:
  AdminService(const raftnode::DataDirectory& directory, AdminBackend& backend,
               CatalogCache& catalog, const std::string& version, const obs::Logger& logger);

  grpc::ServerUnaryReactor* AcceptBirth(grpc::CallbackServerContext*,
                                        const shardpb::AcceptBirthRequest*,
                                        shardpb::AcceptBirthReply*) override;
  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext*,
                                           const shardpb::TransferLeaderRequest*,
                                           shardpb::TransferLeaderReply*) override;
  grpc::ServerUnaryReactor* OwnSlots(grpc::CallbackServerContext*, const shardpb::OwnSlotsRequest*,
                                     shardpb::OwnSlotsReply*) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext*, const shardpb::QueryRequest*,
                                  shardpb::QueryReply*) override;

 private:
  std::optional<raft::RaftStatus> FillStatus(shardpb::StatusReply* reply) const override;
  std::shared_ptr<raftnode::MemberKeeper> keeper() const override;
  std::string follows() const override { return catalog_.cluster_id(); }
  void LogOwnership(const shardpb::OwnSlotsRequest& request, grpc::CallbackServerContext& context,
                    grpc::ServerUnaryReactor* reactor);

  AdminBackend& backend_;
  CatalogCache& catalog_;
};

}  // namespace kdb::server

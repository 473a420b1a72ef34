// The Shard service: command streams of proxies, handed to the replica of this server.
#pragma once

#include <memory>
#include <string>

#include "pkg/base/mutex.h"
#include "pkg/obs/metrics.h"
#include "pkg/server/replica.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::server {

// Thread-safe. Streams are refused with UNAVAILABLE while no replica is attached.
class ShardService final : public shardpb::Shard::CallbackService {
 public:
  explicit ShardService(obs::Registry& metrics);

  // `replica` must stay valid until every stream has ended (the gRPC server is shut down first) or
  // Detach returned.
  void Attach(Replica* replica, const std::string& cluster_id, uint64_t gid);
  // Ends all streams and waits until none calls the replica any more.
  void Detach();
  // Leadership changed: streams are told when this replica leads no more.
  void AnnounceLeader();

  grpc::ServerBidiReactor<shardpb::CommandsRequest, shardpb::CommandsReply>* Commands(
      grpc::CallbackServerContext* context) override;

 private:
  class Stream;

  absl::Status Check(const shardpb::Hello& hello) const;

  obs::Gauge& open_streams_;
  mutable Mutex mu_;
  CondVar ended_;
  Replica* replica_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::string cluster_id_ ABSL_GUARDED_BY(mu_);
  uint64_t gid_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Stream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::server

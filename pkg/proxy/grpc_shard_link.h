// Command streams to kv servers over gRPC (proto/shard.proto, Shard.Commands).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "pkg/base/executor.h"
#include "pkg/proxy/shard_link.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::proxy {

// Used on `executor`, on which links call their handlers too. The destructor waits for streams that
// are ending; links must be gone by then.
class GrpcShardLinkFactory final : public ShardLinkFactory {
 public:
  // `client` names this proxy in the servers' logs. `executor` outlives the factory.
  GrpcShardLinkFactory(Executor& executor, std::string client);
  ~GrpcShardLinkFactory() override;

  // Of the catalog that is in use: servers refuse proxies of another cluster.
  void SetClusterId(const std::string& cluster_id) { cluster_id_ = cluster_id; }

  std::unique_ptr<ShardLink> Connect(uint64_t gid, const std::string& address,
                                     ShardLinkHandler& handler) override;

 private:
  class Stream;
  class Link;
  class Streams;

  Executor& executor_;
  const std::string client_;
  std::string cluster_id_;
  std::shared_ptr<Streams> streams_;  // shared with every stream until it has ended
  // One connection per server. Forgotten when a stream of it breaks: gRPC would hold new ones back
  // for up to a second.
  std::map<std::string, std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace kdb::proxy

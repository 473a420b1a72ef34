// Command streams to kv servers over the frame protocol (pkg/net, proto/shard.proto).
#pragma once

#include <asio/io_context.hpp>
#include <memory>
#include <string>

#include "pkg/routing/shard_link.h"

namespace kdb::routing {

// Used on the thread that runs `io`, on which links call their handlers too.
class FrameShardLinkFactory final : public ShardLinkFactory {
 public:
  // `client` names this proxy in the servers' logs. `io` outlives the factory and its links.
  FrameShardLinkFactory(asio::io_context& io, std::string client);

  // Of the catalog that is in use: servers refuse proxies of another cluster.
  void SetClusterId(const std::string& cluster_id) { cluster_id_ = cluster_id; }

  std::unique_ptr<ShardLink> Connect(uint64_t gid, const std::string& address,
                                     ShardLinkHandler& handler) override;

 private:
  asio::io_context& io_;
  const std::string client_;
  std::string cluster_id_;
};

}  // namespace kdb::routing

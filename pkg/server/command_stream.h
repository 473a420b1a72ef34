// Command streams of proxies (proto/shard.proto), handed to the replica of this server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/net/connection.h"
#include "pkg/net/loop.h"
#include "pkg/obs/metrics.h"
#include "pkg/server/replica.h"
#include "proto/shard.pb.h"

namespace kdb::server {

// Thread-safe. Streams are refused with UNAVAILABLE while no replica is attached.
class CommandService {
 public:
  // `loop` is the one that its connections run on.
  CommandService(net::Loop& loop, obs::Registry& metrics);

  // `replica` must stay valid until Detach returned.
  void Attach(Replica* replica, const std::string& cluster_id, uint64_t gid);
  // Ends all streams; none calls the replica any more. Not from the loop.
  void Detach();
  // Leadership changed: streams are told when this replica leads no more.
  void AnnounceLeader();

  // A proxy's new connection, on the loop; for net::Listener.
  std::unique_ptr<net::Handler> Open(std::shared_ptr<net::Connection> connection);

 private:
  class Stream;

  absl::Status Check(const shardpb::Hello& hello) const;

  net::Loop& loop_;
  obs::Gauge& open_streams_;
  mutable Mutex mu_;
  Replica* replica_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::string cluster_id_ ABSL_GUARDED_BY(mu_);
  uint64_t gid_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Stream*> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::server

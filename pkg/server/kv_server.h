// The kv server: one data directory, passive until a birth certificate names it, then one replica
// of one shard group.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/env/file_system.h"
#include "pkg/obs/admin_http.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/rpc/server.h"
#include "pkg/server/group_member.h"

namespace kdb::server {

struct KvOptions {
  rpc::ServerOptions listen;            // gRPC and frames
  std::string admin_listen;             // HTTP: metrics and probes
  std::vector<std::string> meta_seeds;  // host:port of meta servers; empty: no catalog is cached
  std::string version;
  GroupMemberOptions member;
  std::chrono::milliseconds report_every{1000};
};

class KvServer {
 public:
  // Listens, and serves if the directory was born; in quarantine (raftnode/quarantine.h) it only
  // says so. FAILED_PRECONDITION: the directory is in use. DATA_LOSS: part of it is missing, or
  // does not fit the rest. `fs`, `clock` and `logger` outlive the server. `on_fatal`: the disk
  // failed, the process must end.
  static absl::StatusOr<std::unique_ptr<KvServer>> Start(
      const KvOptions& options, FileSystem& fs, const Clock& clock,
      storage::EngineFactory open_engine, obs::Logger logger,
      std::function<void(const absl::Status&)> on_fatal);
  // Hands leadership over if it can, marks the log cleanly, stops.
  virtual ~KvServer() = default;

  virtual int port() const = 0;        // gRPC and frames
  virtual int admin_port() const = 0;  // HTTP
};

}  // namespace kdb::server

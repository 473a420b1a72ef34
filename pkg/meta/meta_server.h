// A meta server: assembled from its parts, passive until its directory is born, then a member of
// the meta group.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/meta/group_member.h"
#include "pkg/meta/reconciler.h"
#include "pkg/rpc/server.h"

namespace kdb::meta {

struct ServerOptions {
  std::string data_dir;       // created if missing; locked while the server lives
  rpc::ServerOptions listen;  // gRPC and frames
  std::string admin_listen;   // HTTP: metrics and probes
  raftnode::Options raft;     // wal_dir is set from data_dir
  rpc::TransportOptions transport;
  ReconcilerOptions reconciler;
  uint64_t max_apply_lag = 1000;  // entries; more, and the server is not ready
  int long_calls = 8;             // Join, Move, Bootstrap, ... at a time
  int short_calls = 2;            // Query and Report at a time
  size_t max_queued_calls = 256;  // waiting for either
  std::string version;            // of the program, for Status
};

// Thread-safe.
class MetaServer {
 public:
  // Returns when the services listen. `env` outlives the server. Errors: INVALID_ARGUMENT,
  // FAILED_PRECONDITION (the directory is in use), UNAVAILABLE (the address is), DATA_LOSS (damage,
  // with what to do).
  static absl::StatusOr<std::unique_ptr<MetaServer>> Start(const ServerOptions& options,
                                                           const Environment& env);
  // Ends calls with UNAVAILABLE, marks the log cleanly.
  virtual ~MetaServer() = default;

  virtual int port() const = 0;        // gRPC and frames
  virtual int admin_port() const = 0;  // HTTP
  // As the probes answer. OK: a voter that knows its leader and has applied nearly all that is
  // committed. Else why not.
  virtual absl::Status Ready() const = 0;
  // OK: what was committed when the server started is applied, or it is passive.
  virtual absl::Status Started() const = 0;
};

}  // namespace kdb::meta

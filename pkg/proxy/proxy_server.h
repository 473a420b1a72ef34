// A whole proxy: listeners, I/O threads, catalog watcher, KV API.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/random.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"

namespace kdb::proxy {

struct ProxyOptions {
  std::vector<std::string> listen{"127.0.0.1:6379"};  // for Redis clients; port 0: any free one
  std::string kv_listen;                              // for the KV API; empty: not served
  uint64_t io_threads = 2;
  std::vector<std::string> meta_seeds;  // of these and the next at least one
  std::vector<std::string> kv_seeds;    // asked for their cached catalog while no meta answers
  std::string cluster_id;               // empty: that of the first catalog seen
  std::string name = "kdb-proxy";       // for the shards' logs
  std::string version = "0.0.0";        // for INFO
  std::string password_file;  // empty: no password. Every line is one; read again when it changes
  std::chrono::milliseconds deadline{10000};
  uint64_t max_clients = 10'000;
  uint64_t max_bulk_bytes = 16 << 20;
  uint64_t max_request_bytes = 32 << 20;
  uint64_t max_output_bytes = 256 << 20;      // unread replies of one client
  uint64_t max_output_total_bytes = 1 << 30;  // of all; beyond, who has most of them is cut off
  uint64_t max_queued_bytes = 64 << 20;       // commands without a reply, per I/O thread
};

// Start, Drain and Stop from one thread; ready() from any.
class ProxyServer {
 public:
  // `clock` and `metrics` outlive the server.
  static std::unique_ptr<ProxyServer> Create(const ProxyOptions& options, const Clock& clock,
                                             Random random, obs::Registry& metrics,
                                             obs::Logger logger);
  virtual ~ProxyServer() = default;

  // INVALID_ARGUMENT names a setting, UNAVAILABLE an address that cannot be listened on.
  virtual absl::Status Start() = 0;
  // A catalog is loaded: commands find their shards. False again once draining.
  virtual bool ready() const = 0;
  // Of the first address, and of the KV API (0: not served).
  virtual int port() const = 0;
  virtual int kv_port() const = 0;
  // Every I/O thread has turned since the last call, or was idle: for /livez.
  virtual bool alive() = 0;
  // Accepts no more, finishes what is in flight, closes connections; after `limit` whatever is left
  // is cut off. True: nothing was.
  virtual bool Drain(std::chrono::milliseconds limit) = 0;
  // Ends at once what Drain did not. Idempotent; the destructor calls it.
  virtual void Stop() = 0;
};

}  // namespace kdb::proxy

// Facts of this proxy process that commands report.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"

namespace kdb::proxy {

struct ClientInfo;

// Constant but for the counters. Thread-safe.
struct ProxyInfo {
  std::string version;  // of ERaftKDB
  std::string run_id;   // 40 hex digits
  int port = 0;
  size_t max_bulk_bytes = 0;
  Clock::Duration started{};  // monotonic

  mutable std::atomic<size_t> max_clients{0};  // CONFIG SET maxclients
  std::atomic<uint64_t> connected{0};
  // CONFIG RESETSTAT sets these to 0.
  mutable std::atomic<uint64_t> connections_received{0};
  mutable std::atomic<uint64_t> connections_rejected{0};
  mutable std::atomic<uint64_t> commands_processed{0};
  mutable std::atomic<uint64_t> input_bytes{0};
  mutable std::atomic<uint64_t> output_bytes{0};
};

// Every connection of every I/O thread. Thread-safe.
class ClientDirectory {
 public:
  virtual ~ClientDirectory() = default;
  // `done` is called once, on any thread, with copies ordered by id; dropped with the server.
  virtual void List(absl::AnyInvocable<void(std::vector<ClientInfo>)> done) = 0;
};

// The Redis version that this proxy answers as.
inline constexpr char kRedisVersion[] = "7.0.15";

}  // namespace kdb::proxy

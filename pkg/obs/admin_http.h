// The admin HTTP port of every server: /metrics (Prometheus text), /livez, /readyz, /startupz
// (Kubernetes probes).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/obs/metrics.h"

namespace kdb::obs {

// Each answers from any thread, within milliseconds. OK is 200 "ok"; an error is 503 with its
// message.
struct Probes {
  std::function<absl::Status()> live;     // event loops turn; never quorum
  std::function<absl::Status()> ready;    // this server should get traffic
  std::function<absl::Status()> started;  // the log is replayed; the message tells progress
};

class AdminHttp {
 public:
  // `address` is host:port, or :port for all of this machine's; port 0 picks a free one. `registry`
  // outlives the server. Errors name the address: UNAVAILABLE; INVALID_ARGUMENT when it is none, or
  // IPv6 where the library has none of that.
  static absl::StatusOr<std::unique_ptr<AdminHttp>> Start(const std::string& address,
                                                          Registry& registry, Probes probes);
  virtual ~AdminHttp() = default;  // waits for requests that are being answered
  virtual int port() const = 0;
};

}  // namespace kdb::obs

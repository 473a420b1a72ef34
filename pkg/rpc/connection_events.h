// What becomes of the connections to a server's port, as metrics and log lines.
#pragma once

#include <array>
#include <string>

#include "pkg/base/clock.h"
#include "pkg/net/listener.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"

namespace kdb::rpc {

// Not thread-safe: the listener's loop calls it.
class ConnectionEvents {
 public:
  // `clock` and `metrics` outlive it.
  ConnectionEvents(size_t max_connections, const Clock& clock, obs::Registry& metrics,
                   obs::Logger logger);

  void Add(net::Listener::Event event);

 private:
  // A way to be refused. Strangers must not fill the log: one line in kLogEvery tells of all.
  struct Refusal {
    net::Listener::Event event;
    obs::Counter& counter;
    std::string why;
    uint64_t untold = 0;
    Clock::Duration quiet_until{};
  };

  void Tell(Refusal& refusal);

  const Clock& clock_;
  const obs::Logger logger_;
  obs::Counter& accepted_;
  std::array<Refusal, 4> refusals_;
};

}  // namespace kdb::rpc

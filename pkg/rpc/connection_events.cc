#include "pkg/rpc/connection_events.h"

#include <fmt/format.h>

#include <utility>

namespace kdb::rpc {
namespace {

using Event = net::Listener::Event;

constexpr std::chrono::seconds kLogEvery{10};

obs::Counter& Refused(obs::Registry& metrics, const std::string& reason) {
  return metrics.AddCounter("kdb_server_connections_refused_total",
                            "Connections that were closed before they were served, by reason",
                            {{"reason", reason}});
}

}  // namespace

ConnectionEvents::ConnectionEvents(size_t max_connections, const Clock& clock,
                                   obs::Registry& metrics, obs::Logger logger)
    : clock_(clock),
      logger_(std::move(logger)),
      accepted_(metrics.AddCounter("kdb_server_connections_accepted_total",
                                   "Connections accepted on the port of gRPC and frames")),
      refusals_{
          {{Event::kTooMany, Refused(metrics, "too_many"),
            fmt::format("max-connections ({}) are open", max_connections)},
           {Event::kDisplaced, Refused(metrics, "displaced"),
            fmt::format("newer ones came while they did not say what they speak; max-connections "
                        "is {}",
                        max_connections)},
           {Event::kSilent, Refused(metrics, "silent"), "they did not say in time what they speak"},
           {Event::kNoDescriptor, Refused(metrics, "no_descriptor"),
            "the process has no file descriptor left"}}} {}

void ConnectionEvents::Add(net::Listener::Event event) {
  if (event == Event::kAccepted) return accepted_.Increment();
  for (Refusal& refusal : refusals_) {
    if (refusal.event == event) Tell(refusal);
  }
}

void ConnectionEvents::Tell(Refusal& refusal) {
  refusal.counter.Increment();
  ++refusal.untold;
  const Clock::Duration now = clock_.Monotonic();
  if (now < refusal.quiet_until) return;
  logger_->warn("refused {} connections: {}", std::exchange(refusal.untold, 0), refusal.why);
  refusal.quiet_until = now + kLogEvery;
}

}  // namespace kdb::rpc

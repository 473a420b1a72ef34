#include "pkg/proxy/connection_metrics.h"

#include <utility>

namespace kdb::proxy {
namespace {

constexpr std::string_view kReasonNames[kCloseReasons] = {"client", "protocol_error", "slow_reader",
                                                          "drain"};

}  // namespace

Families::Families() : names_{"none"} {
  for (const redis::Command* command : redis::AllCommands()) {
    if (by_name_.emplace(command->group, names_.size()).second) names_.emplace_back(command->group);
  }
}

uint8_t Families::Of(const redis::Command* command) const {
  if (command == nullptr) return 0;
  auto family = by_name_.find(command->group);
  return family == by_name_.end() ? 0 : family->second;
}

ConnectionMetrics::ConnectionMetrics(obs::Registry& registry)
    : connections(registry.AddGauge("kdb_proxy_connections", "Client connections that are open")),
      accepted(registry.AddCounter("kdb_proxy_connections_accepted_total",
                                   "Client connections accepted")),
      rejected(registry.AddCounter("kdb_proxy_connections_rejected_total",
                                   "Client connections refused: too many are open")),
      received_bytes(
          registry.AddCounter("kdb_proxy_received_bytes_total", "Bytes read from clients")),
      sent_bytes(registry.AddCounter("kdb_proxy_sent_bytes_total", "Bytes written to clients")),
      error_replies(
          registry.AddCounter("kdb_proxy_error_replies_total", "Replies that were errors")),
      input_bytes(registry.AddGauge("kdb_proxy_input_buffer_bytes",
                                    "Bytes of requests that are not whole yet")),
      output_bytes(registry.AddGauge("kdb_proxy_output_buffer_bytes",
                                     "Bytes of replies that clients have not taken yet")) {
  for (const std::string& family : families.names()) {
    commands.push_back(&registry.AddCounter("kdb_proxy_commands_total",
                                            "Commands answered, by family", {{"family", family}}));
    latency.push_back(&registry.AddLatency("kdb_proxy_command_duration_seconds",
                                           "From a command read to its reply queued, by family",
                                           {{"family", family}}));
  }
  for (std::string_view reason : kReasonNames) {
    closed.push_back(&registry.AddCounter("kdb_proxy_connections_closed_total",
                                          "Client connections closed, by reason",
                                          {{"reason", std::string(reason)}}));
  }
}

CommandStats::CommandStats(ConnectionMetrics& metrics)
    : metrics_(metrics), commands_(metrics.families.names().size()) {
  for (obs::Histogram* histogram : metrics.latency) latency_.emplace_back(*histogram);
}

CommandStats::Totals CommandStats::Publish() {
  Totals totals;
  for (size_t i = 0; i < commands_.size(); ++i) {
    if (commands_[i] == 0) continue;
    totals.commands += commands_[i];
    metrics_.commands[i]->Increment(static_cast<double>(std::exchange(commands_[i], 0)));
    latency_[i].Publish();
  }
  totals.received = std::exchange(received_, 0);
  totals.sent = std::exchange(sent_, 0);
  metrics_.received_bytes.Increment(static_cast<double>(totals.received));
  metrics_.sent_bytes.Increment(static_cast<double>(totals.sent));
  metrics_.error_replies.Increment(static_cast<double>(std::exchange(errors_, 0)));
  metrics_.input_bytes.Increment(
      static_cast<double>(input_ - std::exchange(published_input_, input_)));
  metrics_.output_bytes.Increment(
      static_cast<double>(output_ - std::exchange(published_output_, output_)));
  return totals;
}

}  // namespace kdb::proxy

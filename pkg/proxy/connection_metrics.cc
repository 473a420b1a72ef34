#include "pkg/proxy/connection_metrics.h"

#include <algorithm>
#include <utility>

namespace kdb::proxy {
namespace {

constexpr std::string_view kReasonNames[kCloseReasons] = {"client", "protocol_error", "slow_reader",
                                                          "drain", "timeout"};

}  // namespace

Families::Families(const CommandIndex& index) : names_{"none"}, by_command_(index.size()) {
  for (size_t i = 1; i < index.size(); ++i) {
    std::string_view group = index.At(static_cast<uint8_t>(i))->group;
    auto name = std::find(names_.begin() + 1, names_.end(), group);
    if (name == names_.end()) name = names_.insert(name, std::string(group));
    by_command_[i] = static_cast<uint8_t>(name - names_.begin());
  }
}

ConnectionMetrics::ConnectionMetrics(obs::Registry& registry)
    : families(index),
      connections(registry.AddGauge("kdb_proxy_connections", "Client connections that are open")),
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
    : metrics_(metrics), commands_(metrics.families.names().size()), usage_(metrics.index) {
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
  if (totals.commands + totals.received + totals.sent > 0) {
    CommandUsage usage = usage_.Take();
    metrics_.error_replies.Increment(static_cast<double>(usage.error_replies));
    metrics_.usage.Add(usage, totals, last_reply_at_);
  }
  metrics_.input_bytes.Increment(
      static_cast<double>(input_ - std::exchange(published_input_, input_)));
  metrics_.output_bytes.Increment(
      static_cast<double>(output_ - std::exchange(published_output_, output_)));
  return totals;
}

}  // namespace kdb::proxy

// What the client side of a proxy counts; shared by its I/O threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pkg/obs/latency_buffer.h"
#include "pkg/obs/metrics.h"
#include "pkg/proxy/command_usage.h"
#include "pkg/redis/command.h"

namespace kdb::proxy {

enum class CloseReason : uint8_t {
  kClient,  // it went away, or asked to
  kProtocolError,
  kSlowReader,  // over the output limit
  kDrain,
  kTimeout,  // of the KV API: a handshake, a request or an answer made no progress
};
inline constexpr size_t kCloseReasons = 5;

// Command families, as the command table groups them.
class Families {
 public:
  explicit Families(const CommandIndex& index);
  // Below names().size().
  uint8_t Of(uint8_t command) const { return by_command_[command]; }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;  // the first is of what is no command
  std::vector<uint8_t> by_command_;
};

struct ConnectionMetrics {
  explicit ConnectionMetrics(obs::Registry& registry);

  CommandIndex index;
  Families families;
  UsageTotals usage;
  std::vector<obs::Counter*> commands;   // by family
  std::vector<obs::Histogram*> latency;  // by family
  std::vector<obs::Counter*> closed;     // by CloseReason
  obs::Gauge& connections;
  obs::Counter& accepted;
  obs::Counter& rejected;
  obs::Counter& received_bytes;
  obs::Counter& sent_bytes;
  obs::Counter& error_replies;
  obs::Gauge& input_bytes;
  obs::Gauge& output_bytes;
};

// One thread's share, published now and then. Not thread-safe.
class CommandStats {
 public:
  explicit CommandStats(ConnectionMetrics& metrics);

  // A command's number; 0: none.
  uint8_t IndexOf(const redis::Command* command) const { return metrics_.index.Of(command); }
  // Its reply at `now`, monotonic.
  void Note(uint8_t command, Clock::Duration began, Clock::Duration now, std::string_view reply) {
    uint8_t family = metrics_.families.Of(command);
    latency_[family].Observe(now - began);
    ++commands_[family];
    usage_.Note(command, now - began, reply);
    last_reply_at_ = now;
  }
  void NoteReceived(size_t bytes) { received_ += bytes; }
  void NoteSent(size_t bytes) { sent_ += bytes; }
  // Bytes held in buffers of connections, as a change.
  void NoteInput(int64_t change) { input_ += change; }
  void NoteOutput(int64_t change) { output_ += change; }
  int64_t output() const { return output_; }
  UsageTotals& usage_totals() { return metrics_.usage; }
  using Totals = Traffic;
  // What is new since the last time.
  Totals Publish();

 private:
  ConnectionMetrics& metrics_;
  std::vector<obs::LatencyBuffer> latency_;
  std::vector<uint64_t> commands_;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
  UsageCounter usage_;
  Clock::Duration last_reply_at_{};
  int64_t input_ = 0;
  int64_t output_ = 0;
  int64_t published_input_ = 0;
  int64_t published_output_ = 0;
};

}  // namespace kdb::proxy

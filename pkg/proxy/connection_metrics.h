// What the client side of a proxy counts; shared by its I/O threads.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/obs/metrics.h"
#include "pkg/proxy/latency_buffer.h"
#include "pkg/redis/command.h"

namespace kdb::proxy {

enum class CloseReason : uint8_t {
  kClient,  // it went away, or asked to
  kProtocolError,
  kSlowReader,  // over the output limit
  kDrain,
};
inline constexpr size_t kCloseReasons = 4;

// Command families, as the command table groups them.
class Families {
 public:
  Families();
  // Below names().size().
  uint8_t Of(const redis::Command* command) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;  // the first is of what is no command
  std::map<std::string_view, uint8_t> by_name_;
};

struct ConnectionMetrics {
  explicit ConnectionMetrics(obs::Registry& registry);

  Families families;
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

  uint8_t FamilyOf(const redis::Command* command) const { return metrics_.families.Of(command); }
  void Note(uint8_t family, std::chrono::nanoseconds latency) {
    latency_[family].Observe(latency);
    ++commands_[family];
  }
  void NoteReceived(size_t bytes) { received_ += bytes; }
  void NoteSent(size_t bytes) { sent_ += bytes; }
  void NoteErrorReply() { ++errors_; }
  // Bytes held in buffers of connections, as a change.
  void NoteInput(int64_t change) { input_ += change; }
  void NoteOutput(int64_t change) { output_ += change; }
  int64_t output() const { return output_; }
  struct Totals {
    uint64_t commands = 0;
    uint64_t received = 0;
    uint64_t sent = 0;
  };
  // What is new since the last time.
  Totals Publish();

 private:
  ConnectionMetrics& metrics_;
  std::vector<LatencyBuffer> latency_;
  std::vector<uint64_t> commands_;
  uint64_t received_ = 0;
  uint64_t sent_ = 0;
  uint64_t errors_ = 0;
  int64_t input_ = 0;
  int64_t output_ = 0;
  int64_t published_input_ = 0;
  int64_t published_output_ = 0;
};

}  // namespace kdb::proxy

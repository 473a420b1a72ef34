// Time comes in by constructor: the process's clocks in servers, a simulated one in tests.
#pragma once

#include <chrono>
#include <cstdint>

namespace kdb {

// Thread-safe.
class Clock {
 public:
  using Duration = std::chrono::nanoseconds;

  virtual ~Clock() = default;
  // Since an arbitrary start; never goes back. Not comparable between processes.
  virtual Duration Monotonic() const = 0;
  // Milliseconds since the Unix epoch; may jump either way.
  virtual int64_t WallMillis() const = 0;
};

class SystemClock final : public Clock {
 public:
  Duration Monotonic() const override {
    return std::chrono::steady_clock::now().time_since_epoch();
  }
  int64_t WallMillis() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace kdb

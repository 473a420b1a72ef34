// How often a client may do what costs it little.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pkg/base/clock.h"

namespace kdb::http2 {

// So often at once, and so often per second in the long run; what is useful earns more. Reads the
// clock only when it is used up. Not thread-safe.
class Allowance {
 public:
  Allowance(uint32_t burst, uint32_t per_second, Clock::Duration now)
      : burst_(burst), per_second_(per_second), left_(burst), filled_at_(now) {}

  // False: it is used up.
  bool Take(const Clock& clock) {
    if (left_ == 0) Refill(clock.Monotonic());
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  void Earn(uint32_t n) { left_ = std::min(burst_, left_ + n); }

 private:
  void Refill(Clock::Duration now) {
    auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - filled_at_).count();
    auto gained = static_cast<uint64_t>(std::max<int64_t>(millis, 0)) * per_second_ / 1000;
    if (gained == 0) return;  // what is too little now is not lost
    left_ = static_cast<uint32_t>(std::min<uint64_t>(gained, burst_));
    filled_at_ = now;
  }

  const uint32_t burst_;
  const uint32_t per_second_;
  uint32_t left_;
  Clock::Duration filled_at_;
};

}  // namespace kdb::http2

// A node's clock in the simulated world: it drifts, and its wall clock jumps.
#pragma once

#include <cstdint>

#include "pkg/base/clock.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::testing {

class FakeClock final : public Clock {
 public:
  // `loop` outlives the clock.
  FakeClock(const SimLoop& loop, int64_t wall_ms) : loop_(loop), wall_ms_(wall_ms) {}

  Duration Monotonic() const override { return elapsed_ + Scale(loop_.Now() - since_); }
  int64_t WallMillis() const override {
    return wall_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(Monotonic()).count();
  }

  // From now on: parts per million fast (positive) or slow.
  void SetDrift(double ppm) {
    elapsed_ = Monotonic();
    since_ = loop_.Now();
    rate_ = 1 + ppm / 1e6;
  }
  void JumpWall(int64_t ms) { wall_ms_ += ms; }
  // For SimExecutor::SetTimerRate: timers follow the node's clock.
  double timer_rate() const { return 1 / rate_; }

 private:
  Duration Scale(Duration d) const {
    return Duration(static_cast<int64_t>(static_cast<double>(d.count()) * rate_));
  }

  const SimLoop& loop_;
  int64_t wall_ms_;
  Duration elapsed_{0};
  Duration since_{0};
  double rate_ = 1;
};

}  // namespace kdb::testing

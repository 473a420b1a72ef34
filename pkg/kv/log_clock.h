// Log time on a leader (design 4): the last applied stamp plus the leader's monotonic time since, slewed towards the median
// of the members' wall clocks, stepped only forward and only when a majority agrees. One fast clock neither kills keys nor
// freezes TTLs.
#pragma once

#include <cstdint>
#include <map>

#include "pkg/base/clock.h"

namespace kdb::kv {

// Not thread-safe: owned by the leader's proposer.
class LogClock {
 public:
  explicit LogClock(const Clock& clock) : clock_(clock) {}

  // This node becomes leader of a group with `voters` members, whose log time is at least `applied_ms`.
  void Start(int64_t applied_ms, size_t voters);
  // A member's wall clock in an answer that just arrived.
  void OnPeerClock(uint64_t peer, int64_t wall_ms);
  // The stamp for the next entry: never decreases.
  int64_t Now();
  // The largest distance of a member's clock from the median, ms: a metric; > 1000 is worth a log line.
  int64_t SkewMs() const;

 private:
  struct Sample {
    int64_t offset_ms;          // of the peer's wall clock from our monotonic clock
    Clock::Duration taken;
  };

  int64_t MonotonicMs() const;
  // The median offset, when a majority of the voters has a recent sample.
  bool MedianOffset(int64_t* offset_ms) const;

  const Clock& clock_;
  size_t voters_ = 0;
  int64_t base_ms_ = 0;          // log time at base_mono_ms_
  int64_t base_mono_ms_ = 0;
  int64_t last_ms_ = 0;
  std::map<uint64_t, Sample> samples_;
};

}  // namespace kdb::kv

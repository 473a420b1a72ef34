// A shard group's log time as its answers tell it (design 4): what not_after of an op is counted
// from. It lags behind the group's, so that no op is executed after its client's deadline.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "pkg/base/clock.h"

namespace kdb::routing {

class LogTimeEstimate {
 public:
  // An answer of `answered_ms` came at `now` to what was asked at `asked_at`. It was made in
  // between, but it may be old: it waited in a socket, or it is the stored one of a batch that was
  // sent again. So log time is at least what it says, and at most that and the time since
  // `asked_at`. 0: the answer does not say.
  void Note(int64_t answered_ms, Clock::Duration asked_at, Clock::Duration now) {
    if (answered_ms == 0) return;
    ms_ = std::clamp(At(now), answered_ms, answered_ms + Millis(now - asked_at) + 1);
    noted_at_ = now;
  }
  // In milliseconds; 0: not known yet.
  int64_t At(Clock::Duration now) const { return ms_ == 0 ? 0 : ms_ + Millis(now - noted_at_); }

 private:
  static int64_t Millis(Clock::Duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
  }

  int64_t ms_ = 0;
  Clock::Duration noted_at_{};
};

}  // namespace kdb::routing

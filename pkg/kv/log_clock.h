// Log time on a leader (design 4): the last applied stamp plus the leader's monotonic time since,
// slewed towards the median of the members' wall clocks, stepped only forward and only when a
// majority agrees. One fast clock neither kills keys nor freezes TTLs.
//
// With m voters and q = m/2 + 1: `low` is the latest time that q known clocks have reached, `high`
// the earliest that q known clocks have not passed. With all voters known (and m odd) both are the
// median; with fewer they span what the median may be, and within that span log time runs freely.
// Behind `low` by more than a second it steps to it; else it runs 1 per mille faster until it is
// there. Ahead of `high` it runs 1 per mille slower: it never goes back, nor stands still.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "pkg/base/clock.h"

namespace kdb::kv {

// Not thread-safe: owned by the leader's proposer.
class LogClock {
 public:
  explicit LogClock(const Clock& clock) : clock_(clock) {}

  // This node becomes leader of a group with `voters` members, whose log time is at least
  // `applied_ms`.
  void Start(int64_t applied_ms, size_t voters);
  // The members have changed: from now on the clocks of these count, and no others.
  void SetVoters(const std::vector<uint64_t>& voters);
  // A member's wall clock in an answer that just arrived. Our own is read, not told.
  void OnPeerClock(uint64_t peer, int64_t wall_ms);
  // Whether a majority of the clocks is known. Before it is, stamps may lie far behind (the group
  // may have been idle for long) and would give keys a TTL that the coming step cuts short: a new
  // leader proposes nothing until then.
  bool Synced() const;
  // The stamp for the next entry: never decreases.
  int64_t Now();
  // The largest distance of a member's clock from the median, ms: a metric; > 1000 is worth a log
  // line.
  int64_t SkewMs() const;

 private:
  struct Sample {
    int64_t offset_us;  // of the peer's wall clock from our monotonic clock
    Clock::Duration taken;
  };

  int64_t MonotonicUs() const;
  // What to add to the time that passed since the base.
  int64_t Correction(int64_t mono_us, int64_t elapsed_us) const;
  // Of all clocks heard of lately and our own, sorted.
  std::vector<int64_t> Offsets() const;
  // `low` and `high` as offsets; false when fewer than a majority of the clocks are known.
  bool MajorityOffsets(int64_t* low_us, int64_t* high_us) const;

  const Clock& clock_;
  size_t voters_ = 1;
  std::set<uint64_t> voter_ids_;  // empty: of all who are heard of
  int64_t base_us_ = 0;           // log time at base_mono_us_
  int64_t base_mono_us_ = 0;
  int64_t last_ms_ = 0;
  std::map<uint64_t, Sample> samples_;
};

}  // namespace kdb::kv

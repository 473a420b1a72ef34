// How much log there is: when to flush the state machine, and up to where the log may be cut.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "pkg/base/clock.h"
#include "pkg/raft/types.h"

namespace kdb::raftnode {

// Bookkeeping only. Not thread-safe.
class LogBudget {
 public:
  struct Options {
    size_t keep_bytes = 0;
    size_t hold_bytes = 0;  // at most, by Hold
    size_t flush_bytes = 0;
    std::chrono::nanoseconds flush_interval{0};
  };

  // At start the log is [first, last], of which entries up to `persisted` need no replay. How its
  // bytes are spread is not known: none of it is cut before keep_bytes have come after it.
  LogBudget(const Options& options, raft::Index first, raft::Index last, raft::Index persisted,
            Clock::Duration now);

  // The log grew to `last` by `bytes` (also when that replaced some entries: the estimate errs
  // towards keeping less than a whole granule).
  void Appended(raft::Index last, size_t bytes);
  // Entries up to `index` were handed to the state machine.
  void Applied(raft::Index index, size_t bytes);

  bool ShouldFlush(Clock::Duration now) const;
  void FlushBegan(Clock::Duration now);
  // Entries behind `index` are wanted: they are kept until the next call, up to hold_bytes. 0: none
  // are.
  void Hold(raft::Index index) { hold_ = index; }
  // The state machine restarts from `persisted`. Returns up to where the log may be cut now; 0:
  // nothing new.
  raft::Index CutAfterFlush(raft::Index persisted);

 private:
  // Where the log stood when its size passed a multiple of the granule.
  struct Point {
    raft::Index index;
    uint64_t bytes;
  };
  static constexpr uint64_t kGranule = 1 << 20;

  bool MayCut(const Point& point) const;

  const Options options_;
  uint64_t appended_ = 0;
  std::deque<Point> points_;
  raft::Index applied_;
  raft::Index flush_began_at_;
  size_t unflushed_bytes_ = 0;
  Clock::Duration last_flush_;
  raft::Index cut_;
  raft::Index hold_ = 0;
};

}  // namespace kdb::raftnode

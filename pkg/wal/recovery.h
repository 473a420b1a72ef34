// Reads the log back at start: which segments count, what they hold, and whether anything durable
// is missing.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/wal/log_index.h"
#include "pkg/wal/segment_store.h"

namespace kdb::wal {

struct RecoveredLog {
  std::deque<std::shared_ptr<Segment>> segments;  // oldest first
  LogIndex index;
  raft::HardState hard_state;
  uint64_t dropped_tail_bytes = 0;
  uint64_t last_end = 0;  // where the records of segments.back() end
  // Of the segment to be started: what it says about those before it.
  SegmentHeader next;
  // Segments that hold nothing of the log. To be recycled once the next segment is there, in this
  // order.
  std::vector<uint64_t> garbage;
};

// Changes no file but syncs the newest segment, so that all it returns is durable. DATA_LOSS: the
// log is damaged, or must exist and does not; the message names file, offset and what to do.
absl::StatusOr<RecoveredLog> RecoverLog(const SegmentStore& store, bool must_exist);

}  // namespace kdb::wal

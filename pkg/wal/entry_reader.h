// Reads entries of segments in few calls.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/wal/log_index.h"
#include "pkg/wal/segment_store.h"

namespace kdb::wal {

struct LocatedEntry {
  EntryPosition position;
  std::shared_ptr<Segment> segment;  // shared: the writer may cut it off meanwhile
};

// The entries from index `first` on, one for each of `located`. Neighbours on the disk are read by
// one call, and their payloads share its buffer. DATA_LOSS, with file and offset, when a record is
// not what was written.
absl::StatusOr<std::vector<raft::Entry>> ReadEntries(raft::Index first,
                                                     const std::vector<LocatedEntry>& located);

}  // namespace kdb::wal

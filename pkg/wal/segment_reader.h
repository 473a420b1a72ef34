// Walks the records of one segment at recovery, and judges damage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/wal/segment_store.h"

namespace kdb::wal {

// A record found by recovery. `body` is valid during the call only.
struct FoundRecord {
  uint64_t offset = 0;
  RecordHeader header;
  std::string_view body;
};

class SegmentReader {
 public:
  using Sink = std::function<absl::Status(const FoundRecord&)>;

  // `segment` outlives it.
  explicit SegmentReader(const Segment& segment) : segment_(segment) {}

  // Reads the bytes below `end`; DATA_LOSS when the file is shorter.
  absl::Status Load(uint64_t end);
  // Passes the valid records in order to `sink`, up to the first damaged one; a damaged copy of a
  // hard state whose other copy is valid is passed over. Returns the offset of the damage, or the
  // end.
  absl::StatusOr<uint64_t> Walk(const Sink& sink);

  // What stands behind a damaged record at `damage`, if its bytes can still be told to be records
  // of this segment.
  struct Beyond {
    uint64_t durable = 0;                      // the highest offset that one of them claims durable
    uint64_t end = 0;                          // of the last one; `damage` if there is none
    uint64_t witness = 0;                      // offset of the one that claims `durable`
    std::vector<raft::HardState> hard_states;  // of intact records
  };
  Beyond LookBeyond(uint64_t damage) const;

 private:
  // The intact record at `offset`.
  std::optional<FoundRecord> RecordAt(uint64_t offset) const;
  std::string_view From(uint64_t offset) const { return std::string_view(bytes_).substr(offset); }
  // Where to go on behind a damaged record at `offset` that was one of two copies of a hard state.
  std::optional<uint64_t> BehindDamagedCopy(uint64_t offset) const;

  const Segment& segment_;
  std::string bytes_;
  uint64_t last_hard_state_copy_ =
      0;  // offset at which the hard state read last has its other copy
};

}  // namespace kdb::wal

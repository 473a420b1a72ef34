// The raft log on disk: segmented, append-only, group-committed. FORMAT.md has the bytes, the crash
// states and the one window in which a torn tail and a flipped bit cannot be told apart.
//
// Threads: one writer calls Append, Sync, Mark, CutPrefix, Reset. The others are thread-safe beside
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"
#include "pkg/raft/types.h"

namespace kdb::wal {

struct Options {
  uint64_t segment_bytes = 32 << 20;  // preallocated; a larger entry gets a segment of its own size
  int spare_segments = 2;             // recycled files kept for reuse
  uint64_t seed = 0;  // of the incarnations of segments; 0: from the system. For reproducible tests
  bool must_exist = false;  // no segment is DATA_LOSS, not a new log
};

// What Open found.
struct Recovered {
  raft::HardState hard_state;
  raft::Index first_index = 1;  // of the first entry kept; last_index + 1 when none
  raft::Index last_index = 0;
  raft::Term compacted_term = 0;    // of entry first_index - 1; 0 when that is 0
  uint64_t dropped_tail_bytes = 0;  // torn by the crash, never acknowledged
};

struct Stats {
  uint64_t syncs = 0;
  uint64_t synced_entries = 0;
  uint64_t bytes_written = 0;
  uint64_t segments = 0;
  uint64_t live_bytes = 0;
};

class Wal {
 public:
  // Opens or creates the log in directory `dir` (which exists). DATA_LOSS when the log is damaged
  // below what it says was durable, or is not there and must be: the message names file, offset
  // and what to do. Always starts a new segment.
  static absl::StatusOr<std::unique_ptr<Wal>> Open(FileSystem& fs, const std::string& dir,
                                                   const Options& options, Recovered* recovered);
  virtual ~Wal() = default;

  // Writes entries (contiguous; the first supersedes all >= its index) and the hard state, if any,
  // in one write. Not durable before Sync. RESOURCE_EXHAUSTED: no room for a new segment; nothing
  // was appended and the log is as before. After any other error the log is unusable: the process
  // must exit.
  virtual absl::Status Append(std::span<const raft::Entry> entries,
                              const std::optional<raft::HardState>& hard_state) = 0;
  // One fdatasync for everything appended so far.
  virtual absl::Status Sync() = 0;
  // Appends and syncs a record of the durable offset; called after 10 ms of idleness and at clean
  // shutdown. No-op when nothing was appended since the last.
  virtual absl::Status Mark() = 0;

  // Entries of [lo, hi), at least one, then at most max_bytes by EntryBytes. OUT_OF_RANGE below the
  // first index or beyond the last; DATA_LOSS when a checksum does not match.
  virtual absl::StatusOr<std::vector<raft::Entry>> Read(raft::Index lo, raft::Index hi,
                                                        size_t max_bytes) const = 0;
  // Term of an entry in [first_index - 1, last_index].
  virtual std::optional<raft::Term> TermAt(raft::Index index) const = 0;
  virtual raft::Index first_index() const = 0;
  virtual raft::Index last_index() const = 0;

  // Entries up to and including `index` are needed no more; whole segments are recycled.
  // first_index() moves by whole segments. Durable on return.
  virtual absl::Status CutPrefix(raft::Index index) = 0;
  // Empties the log: its next entry follows (index, term), the state of an installed snapshot.
  // Crash-safe: after a crash the log is either as before or reset. Durable on return.
  virtual absl::Status Reset(raft::Index index, raft::Term term,
                             const raft::HardState& hard_state) = 0;

  // Makes the next segment ahead of need, if none is ready: 20 ms that Append then saves. Any
  // thread but the writer's; an error is of no consequence.
  virtual absl::Status Prepare() = 0;

  virtual Stats stats() const = 0;
};

}  // namespace kdb::wal

// The log as the Raft core sees it: the newest entries in memory, older ones read from the log on
// disk.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/raft/raft.h"
#include "pkg/wal/wal.h"

namespace kdb::raftnode {

// Not thread-safe: raft role only. Of the log on disk it uses what is thread-safe.
class LogCache final : public raft::LogView {
 public:
  // A read of [lo, hi) from the disk log, at most max_bytes; OnRead with the same request must
  // follow.
  struct DiskRead {
    raft::Index lo = 0;
    raft::Index hi = 0;
    size_t max_bytes = 0;
    uint64_t generation = 0;
  };
  // Starts a DiskRead on another role.
  using Reader = std::function<void(const DiskRead&)>;

  static constexpr size_t kReadAheadBytes = 4 << 20;  // of one disk read
  static constexpr size_t kMaxChunks = 4;             // disk reads kept, and under way at once

  // `log` holds [first, last] and outlives the object.
  LogCache(const wal::Wal& log, raft::Index first, raft::Index last, size_t max_bytes,
           Reader reader);

  raft::Index FirstIndex() const override { return first_; }
  raft::Index LastIndex() const override { return last_; }
  std::optional<raft::Term> TermAt(raft::Index i) const override;
  absl::StatusOr<std::vector<raft::Entry>> Entries(raft::Index lo, raft::Index hi,
                                                   size_t max_bytes) const override;

  // Entries handed to the log under `seq`: contiguous; the first supersedes all >= its index.
  void Append(uint64_t seq, const std::vector<raft::Entry>& entries);
  // What was appended up to `seq` is in the log on disk: it may leave the memory.
  void Persisted(uint64_t seq);
  // Entries up to `index` are gone from here on; the disk log is cut afterwards.
  void CutPrefix(raft::Index index);
  // The end of a disk read. Afterwards Entries may answer. DATA_LOSS: the log on disk is damaged.
  absl::Status OnRead(const DiskRead& request, absl::StatusOr<std::vector<raft::Entry>> entries);

  size_t cached_bytes() const { return bytes_; }
  raft::Index cached_first() const { return cached_first_; }

 private:
  struct Unwritten {
    uint64_t seq;
    raft::Index first;
  };

  void Supersede(raft::Index from);
  void Evict();
  std::vector<raft::Entry> FromMemory(raft::Index lo, raft::Index hi, size_t max_bytes) const;
  // Entries from `lo` out of an earlier disk read; empty when there is none.
  std::vector<raft::Entry> FromChunks(raft::Index lo, raft::Index hi, size_t max_bytes) const;
  void StartRead(raft::Index lo, size_t max_bytes) const;

  const wal::Wal& log_;
  const size_t max_bytes_;
  const Reader reader_;

  raft::Index first_;
  raft::Index last_;
  raft::Index cached_first_;  // cache_ is [cached_first_, last_]
  std::deque<raft::Entry> cache_;
  size_t bytes_ = 0;
  std::deque<Unwritten> unwritten_;  // appended, perhaps not in the disk log yet

  // Entries() is const to the core, yet remembers what it asked the disk for.
  mutable std::deque<DiskRead> reading_;
  std::deque<std::vector<raft::Entry>> chunks_;  // newest last, none empty
  uint64_t generation_ = 0;                      // a read begun before a truncation is void
};

}  // namespace kdb::raftnode

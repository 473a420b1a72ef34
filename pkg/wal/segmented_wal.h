// The Wal of wal.h over segments.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/wal/entry_reader.h"
#include "pkg/wal/log_index.h"
#include "pkg/wal/recovery.h"
#include "pkg/wal/segment_store.h"
#include "pkg/wal/wal.h"

namespace kdb::wal {

class SegmentedWal : public Wal {
 public:
  // `recovered` is what RecoverLog found in `store`.
  SegmentedWal(const Options& options, std::unique_ptr<SegmentStore> store, RecoveredLog recovered);

  // Starts the first segment, with `header`, then recycles `garbage`: both as recovery says. Before
  // anything else.
  absl::Status Start(const SegmentHeader& header, const std::vector<uint64_t>& garbage);

  absl::Status Append(std::span<const raft::Entry> entries,
                      const std::optional<raft::HardState>& hard_state) override;
  absl::Status Sync() override;
  absl::Status Mark() override;
  absl::StatusOr<std::vector<raft::Entry>> Read(raft::Index lo, raft::Index hi,
                                                size_t max_bytes) const override;
  std::optional<raft::Term> TermAt(raft::Index index) const override;
  raft::Index first_index() const override;
  raft::Index last_index() const override;
  absl::Status CutPrefix(raft::Index index) override;
  absl::Status Reset(raft::Index index, raft::Term term,
                     const raft::HardState& hard_state) override;
  absl::Status Prepare() override { return store_->Prepare(); }
  Stats stats() const override;

 private:
  // Remembers the first error that leaves the files in doubt; nothing is written after it.
  absl::Status Broken(const absl::Status& status);
  // Makes room for `bytes` more in the current segment, or starts the next.
  absl::Status MakeRoom(uint64_t bytes);
  SegmentHeader NextHeader() const;
  // `blank` becomes the current segment, behind those there are.
  absl::Status StartSegment(SegmentStore::Blank blank, const SegmentHeader& header);
  absl::Status SyncCurrent();
  absl::Status WriteBuffer();
  void Encode(std::span<const raft::Entry> entries,
              const std::optional<raft::HardState>& hard_state);
  void Publish(std::span<const raft::Entry> entries, uint64_t offset);

  absl::StatusOr<std::vector<LocatedEntry>> Locate(raft::Index lo, raft::Index hi,
                                                   size_t max_bytes) const;
  const std::shared_ptr<Segment>& SegmentOfLocked(uint32_t id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<Segment> PopCutLocked(raft::Index index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  const std::unique_ptr<SegmentStore> store_;

  // Used by the writer's thread only.
  std::shared_ptr<Segment> current_;  // shared with readers
  uint64_t end_ = 0;                  // of the records of the current segment
  uint64_t durable_ = 0;              // its records below this offset are durable
  uint64_t marked_ = 0;               // as the last mark says
  uint64_t unsynced_entries_ = 0;
  raft::HardState hard_state_;  // as appended last
  absl::Status broken_;
  std::string buffer_;             // of one append; kept for its memory
  std::vector<uint32_t> offsets_;  // in buffer_, of the entries of one append

  mutable Mutex mu_;
  LogIndex index_ ABSL_GUARDED_BY(mu_);
  std::deque<std::shared_ptr<Segment>> segments_ ABSL_GUARDED_BY(mu_);  // ids ascend; back: current
  Stats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::wal

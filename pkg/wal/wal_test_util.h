// Shared by the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/wal/wal.h"

namespace kdb::wal {

inline constexpr char kDir[] = "/wal";

inline Options SmallOptions() {
  return {.segment_bytes = 16 << 10, .spare_segments = 1, .seed = 1};
}

inline raft::Entry MakeEntry(raft::Index index, raft::Term term, std::string data) {
  return {.index = index,
          .term = term,
          .type = raft::EntryType::kNormal,
          .data = Payload(std::move(data))};
}

// A log on a disk in memory.
class TestLog {
 public:
  explicit TestLog(Options options = SmallOptions()) : options_(options) {
    EXPECT_TRUE(CreateDirs(fs_, kDir).ok());
  }

  absl::Status TryOpen() {
    wal_.reset();
    absl::StatusOr<std::unique_ptr<Wal>> wal = Wal::Open(fs_, kDir, options_, &recovered_);
    if (!wal.ok()) return wal.status();
    wal_ = *std::move(wal);
    return absl::OkStatus();
  }
  void Open() {
    absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void CrashAndOpen() {
    wal_.reset();
    fs_.Crash();
    Open();
  }

  // Appends `count` entries of `bytes` at `index`, in one write.
  absl::Status Append(raft::Index index, raft::Term term, int count, size_t bytes,
                      std::optional<raft::HardState> hard_state = {}) {
    std::vector<raft::Entry> entries;
    for (int i = 0; i < count; ++i) {
      raft::Index at = index + static_cast<raft::Index>(i);
      entries.push_back(MakeEntry(at, term, std::string(bytes, static_cast<char>('a' + at % 26))));
    }
    return wal_->Append(entries, hard_state);
  }
  absl::Status AppendSynced(raft::Index index, raft::Term term, int count, size_t bytes,
                            std::optional<raft::HardState> hard_state = {}) {
    absl::Status status = Append(index, term, count, bytes, hard_state);
    return status.ok() ? wal_->Sync() : status;
  }
  std::vector<raft::Entry> All() const {
    raft::Index lo = wal_->first_index();
    raft::Index hi = wal_->last_index() + 1;
    if (lo == hi) return {};
    absl::StatusOr<std::vector<raft::Entry>> entries = wal_->Read(lo, hi, SIZE_MAX);
    EXPECT_TRUE(entries.ok()) << entries.status();
    return entries.ok() ? *entries : std::vector<raft::Entry>();
  }
  std::vector<std::string> Files() { return *fs_.List(kDir); }

  Wal& wal() {
    KDB_CHECK(wal_ != nullptr, "not open");
    return *wal_;
  }
  void Close() { wal_.reset(); }
  const Recovered& recovered() const { return recovered_; }
  MemoryFileSystem& fs() { return fs_; }
  Options& options() { return options_; }

 private:
  MemoryFileSystem fs_;
  Options options_;
  Recovered recovered_;
  std::unique_ptr<Wal> wal_;
};

}  // namespace kdb::wal

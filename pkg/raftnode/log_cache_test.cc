#include "pkg/raftnode/log_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/raftnode/fakes_test.h"

namespace kdb::raftnode {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr size_t kAll = 1 << 30;

class LogCacheTest : public ::testing::Test {
 protected:
  // A cache of ten entries over a log on disk that holds [1, on_disk] of term 1.
  void Open(raft::Index on_disk) {
    ASSERT_TRUE(disk_.Append(MakeEntries(1, on_disk, 1), std::nullopt).ok());
    size_t entry = raft::EntryBytes(MakeEntries(1, 1, 1)[0]);
    cache_ = std::make_unique<LogCache>(disk_, 1, on_disk, 10 * entry,
                                        [this](const auto& request) { reads_.push_back(request); });
  }
  void Append(raft::Index first, raft::Index last, raft::Term term) {
    cache_->Append(++seq_, MakeEntries(first, last, term));
  }
  // The log role comes to it.
  void Write(raft::Index first, raft::Index last, raft::Term term) {
    ASSERT_TRUE(disk_.Append(MakeEntries(first, last, term), std::nullopt).ok());
  }
  void FinishRead() {
    LogCache::DiskRead request = reads_.front();
    reads_.erase(reads_.begin());
    EXPECT_TRUE(
        cache_->OnRead(request, disk_.Read(request.lo, request.hi, request.max_bytes)).ok());
  }
  absl::StatusCode Code(raft::Index lo) {
    return cache_->Entries(lo, lo + 1, kAll).status().code();
  }

  RecordingWal disk_;
  std::vector<LogCache::DiskRead> reads_;
  std::unique_ptr<LogCache> cache_;
  uint64_t seq_ = 0;
};

TEST_F(LogCacheTest, NewEntriesComeFromMemory) {
  Open(0);
  Append(1, 5, 1);
  EXPECT_EQ(cache_->FirstIndex(), 1);
  EXPECT_EQ(cache_->LastIndex(), 5);
  auto entries = cache_->Entries(2, 5, kAll);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(*entries, MakeEntries(2, 4, 1));
  EXPECT_THAT(*cache_->Entries(2, 5, 1), SizeIs(1));  // at least one
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(LogCacheTest, TermsComeFromMemoryAndDisk) {
  Open(3);
  Append(4, 5, 2);
  EXPECT_EQ(cache_->TermAt(0), 0);
  EXPECT_EQ(cache_->TermAt(3), 1);
  EXPECT_EQ(cache_->TermAt(4), 2);
  EXPECT_EQ(cache_->TermAt(6), std::nullopt);
}

TEST_F(LogCacheTest, OldEntriesAreReadFromDiskOnce) {
  Open(20);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  ASSERT_THAT(reads_, SizeIs(1));
  FinishRead();
  EXPECT_EQ(*cache_->Entries(3, 6, kAll), MakeEntries(3, 5, 1));
  EXPECT_EQ(*cache_->Entries(9, 11, kAll), MakeEntries(9, 10, 1));  // read ahead
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(LogCacheTest, KeepsWhatIsNotYetOnDisk) {
  Open(0);
  Append(1, 30, 1);
  EXPECT_EQ(cache_->cached_first(), 1);
  Write(1, 30, 1);
  cache_->Persisted(1);
  EXPECT_EQ(cache_->cached_first(), 21);
  EXPECT_EQ(Code(1), absl::StatusCode::kUnavailable);
}

TEST_F(LogCacheTest, SupersededEntriesCountAsUnwrittenAgain) {
  Open(0);
  Append(1, 30, 1);
  Append(5, 40, 2);  // replaces what the first write will bring to disk
  Write(1, 30, 1);
  cache_->Persisted(1);
  EXPECT_EQ(cache_->cached_first(), 5);
  EXPECT_EQ(cache_->TermAt(20), 2);
  EXPECT_EQ(cache_->TermAt(4), 1);
  Write(5, 40, 2);
  cache_->Persisted(2);
  EXPECT_EQ(cache_->cached_first(), 31);
  EXPECT_EQ(cache_->TermAt(20), 2);
}

TEST_F(LogCacheTest, ReadOvertakenByATruncationIsVoid) {
  Open(20);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  Append(10, 12, 2);
  FinishRead();  // brought entries 10 to 20 of term 1
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  FinishRead();
  EXPECT_EQ(*cache_->Entries(3, 20, kAll), MakeEntries(3, 9, 1));
  EXPECT_EQ(*cache_->Entries(10, 13, kAll), MakeEntries(10, 12, 2));
}

TEST_F(LogCacheTest, TruncationForgetsWhatWasRead) {
  Open(20);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  FinishRead();
  Append(10, 12, 2);
  Write(10, 12, 2);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  FinishRead();
  EXPECT_EQ(cache_->Entries(3, 20, kAll)->back(), MakeEntries(9, 9, 1)[0]);
}

TEST_F(LogCacheTest, ReadsUnderWayAreBounded) {
  Open(20);
  for (raft::Index i = 1; i <= 10; ++i) EXPECT_EQ(Code(i), absl::StatusCode::kUnavailable);
  EXPECT_THAT(reads_, SizeIs(LogCache::kMaxChunks));
}

TEST_F(LogCacheTest, CutEntriesAreOutOfRange) {
  Open(20);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  cache_->CutPrefix(5);
  EXPECT_EQ(cache_->FirstIndex(), 6);
  EXPECT_EQ(cache_->TermAt(5), 1);  // the compaction point
  EXPECT_EQ(cache_->TermAt(4), std::nullopt);
  EXPECT_EQ(Code(5), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(cache_->OnRead(reads_[0], absl::OutOfRangeError("cut")).ok());
}

TEST_F(LogCacheTest, CutReachesIntoTheMemory) {
  Open(0);
  Append(1, 8, 1);
  Write(1, 8, 1);
  cache_->Persisted(1);
  cache_->CutPrefix(6);
  EXPECT_EQ(*cache_->Entries(7, 9, kAll), MakeEntries(7, 8, 1));
  cache_->CutPrefix(8);
  EXPECT_EQ(cache_->FirstIndex(), 9);
  EXPECT_EQ(cache_->TermAt(8), 1);
  EXPECT_EQ(cache_->cached_bytes(), 0);
  Append(9, 9, 1);
  EXPECT_EQ(*cache_->Entries(9, 10, kAll), MakeEntries(9, 9, 1));
}

TEST_F(LogCacheTest, DamageOnDiskIsReported) {
  Open(20);
  EXPECT_EQ(Code(3), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(absl::IsDataLoss(cache_->OnRead(reads_[0], absl::DataLossError("checksum"))));
}

}  // namespace
}  // namespace kdb::raftnode

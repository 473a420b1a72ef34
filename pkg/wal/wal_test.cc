// What a log does whose disk works, and what it says when the disk does not.
#include "pkg/wal/wal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "pkg/wal/wal_test_util.h"

namespace kdb::wal {
namespace {

using ::testing::HasSubstr;

class WalTest : public ::testing::Test {
 protected:
  WalTest() { log_.Open(); }

  static std::string Text(raft::Index i) { return std::string(500, static_cast<char>(i)); }

  TestLog log_;
};

TEST_F(WalTest, NewLogIsEmpty) {
  EXPECT_EQ(log_.recovered().first_index, 1u);
  EXPECT_EQ(log_.recovered().last_index, 0u);
  EXPECT_EQ(log_.recovered().hard_state, raft::HardState());
  EXPECT_EQ(log_.wal().TermAt(0), 0u);
  EXPECT_EQ(log_.wal().TermAt(1), std::nullopt);
  EXPECT_TRUE(absl::IsOutOfRange(log_.wal().Read(1, 2, 100).status()));
}

TEST(WalOpenTest, ALogThatMustExistIsNotMadeAnew) {
  TestLog log;
  log.options().must_exist = true;
  absl::Status status = log.TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("new member"));
  EXPECT_TRUE(log.Files().empty());
  log.options().must_exist = false;
  log.Open();
  log.options().must_exist = true;
  log.CrashAndOpen();
}

TEST_F(WalTest, EntriesAndHardStateComeBack) {
  std::vector<raft::Entry> entries = {MakeEntry(1, 1, "one"), MakeEntry(2, 1, ""),
                                      MakeEntry(3, 2, std::string(3000, 'x'))};
  entries[1].type = raft::EntryType::kConfChange;
  raft::HardState hard_state{.term = 2, .vote = 7, .commit = 1};
  ASSERT_TRUE(log_.wal().Append(entries, hard_state).ok());
  EXPECT_EQ(log_.All(), entries);
  ASSERT_TRUE(log_.wal().Sync().ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.recovered().hard_state, hard_state);
  EXPECT_EQ(log_.recovered().last_index, 3u);
  EXPECT_EQ(log_.recovered().dropped_tail_bytes, 0u);
  EXPECT_EQ(log_.All(), entries);
  EXPECT_EQ(log_.wal().TermAt(2), 1u);
  EXPECT_EQ(log_.wal().TermAt(3), 2u);
}

TEST_F(WalTest, UnsyncedEntriesMayBeLost) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 3, 10).ok());
  ASSERT_TRUE(log_.Append(4, 1, 3, 10).ok());
  EXPECT_EQ(log_.wal().last_index(), 6u);
  log_.CrashAndOpen();
  EXPECT_EQ(log_.wal().last_index(), 3u);
}

TEST_F(WalTest, AppendSupersedes) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 10, 10).ok());
  ASSERT_TRUE(log_.AppendSynced(4, 2, 2, 10).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(log_.wal().last_index(), 5u);
    EXPECT_EQ(log_.wal().TermAt(3), 1u);
    EXPECT_EQ(log_.wal().TermAt(4), 2u);
    EXPECT_EQ(log_.wal().TermAt(6), std::nullopt);
    EXPECT_EQ(log_.All().size(), 5u);
    log_.CrashAndOpen();
  }
}

TEST_F(WalTest, ReadIsBoundedByBytes) {
  ASSERT_TRUE(log_.Append(1, 1, 10, 76).ok());  // 100 bytes each
  EXPECT_EQ(log_.wal().Read(1, 11, 0)->size(), 1u);
  EXPECT_EQ(log_.wal().Read(1, 11, 299)->size(), 2u);
  EXPECT_EQ(log_.wal().Read(1, 11, 300)->size(), 3u);
  EXPECT_EQ(log_.wal().Read(2, 4, 1000)->front().index, 2u);
}

TEST_F(WalTest, ManySegments) {
  for (raft::Index i = 1; i <= 100; i += 2) ASSERT_TRUE(log_.AppendSynced(i, i, 2, 500).ok());
  EXPECT_GT(log_.wal().stats().segments, 5u);
  for (int round = 0; round < 2; ++round) {
    std::vector<raft::Entry> all = log_.All();
    ASSERT_EQ(all.size(), 100u);
    for (raft::Index i = 1; i <= 100; ++i) {
      EXPECT_EQ(all[i - 1].index, i);
      EXPECT_EQ(all[i - 1].term, i - (i + 1) % 2);
      EXPECT_EQ(all[i - 1].data.view(), std::string(500, static_cast<char>('a' + i % 26)));
    }
    log_.CrashAndOpen();
  }
}

TEST_F(WalTest, LargeEntryGetsItsOwnSegment) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 1, 10).ok());
  ASSERT_TRUE(log_.AppendSynced(2, 1, 1, 100000).ok());
  ASSERT_TRUE(log_.AppendSynced(3, 1, 1, 10).ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.All()[1].data.size(), 100000u);
  EXPECT_EQ(log_.wal().last_index(), 3u);
}

TEST_F(WalTest, RestartsDoNotPileUpSegments) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 1, 10, raft::HardState{.term = 1, .vote = 2}).ok());
  for (int i = 0; i < 5; ++i) log_.CrashAndOpen();
  EXPECT_EQ(log_.wal().stats().segments, 2u);
  EXPECT_LE(log_.Files().size(), 3u);  // and a spare
  EXPECT_EQ(log_.recovered().hard_state.vote, 2u);
  EXPECT_EQ(log_.All().size(), 1u);
}

TEST_F(WalTest, HardStateSurvivesSegmentChange) {
  raft::HardState hard_state{.term = 5, .vote = 3, .commit = 0};
  ASSERT_TRUE(log_.AppendSynced(1, 5, 1, 10, hard_state).ok());
  for (raft::Index i = 2; i <= 40; ++i) ASSERT_TRUE(log_.AppendSynced(i, 5, 1, 2000).ok());
  ASSERT_TRUE(log_.wal().CutPrefix(39).ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.recovered().hard_state, hard_state);
}

TEST_F(WalTest, CutPrefixRecyclesWholeSegments) {
  for (raft::Index i = 1; i <= 40; ++i) ASSERT_TRUE(log_.AppendSynced(i, i, 1, 2000).ok());
  uint64_t segments = log_.wal().stats().segments;
  ASSERT_TRUE(log_.wal().CutPrefix(1).ok());
  EXPECT_EQ(log_.wal().first_index(), 1u);
  ASSERT_TRUE(log_.wal().CutPrefix(20).ok());
  raft::Index first = log_.wal().first_index();
  EXPECT_GT(first, 10u);
  EXPECT_LE(first, 21u);
  EXPECT_LT(log_.wal().stats().segments, segments);
  EXPECT_TRUE(absl::IsOutOfRange(log_.wal().Read(first - 1, first, 100).status()));
  EXPECT_EQ(log_.wal().TermAt(first - 1), first - 1);
  log_.CrashAndOpen();
  EXPECT_EQ(log_.recovered().first_index, first);
  EXPECT_EQ(log_.recovered().compacted_term, first - 1);
  EXPECT_EQ(log_.All().size(), 41 - first);
}

TEST_F(WalTest, CutPrefixRemovesWhatAFullDiskCannotRename) {
  for (raft::Index i = 1; i <= 40; ++i) ASSERT_TRUE(log_.AppendSynced(i, i, 1, 2000).ok());
  log_.fs().faults().Fail(FsOp::kRename, "", 0, absl::ResourceExhaustedError("no space"), 100);
  ASSERT_TRUE(log_.wal().CutPrefix(20).ok());
  log_.fs().faults().Clear();
  raft::Index first = log_.wal().first_index();
  EXPECT_GT(first, 10u);
  ASSERT_TRUE(log_.AppendSynced(41, 41, 1, 2000).ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.recovered().first_index, first);
  EXPECT_EQ(log_.All().size(), 42 - first);
}

// Entries that were superseded after their segment's successor had begun keep the segment alive.
TEST_F(WalTest, CutPrefixAfterSuperseding) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 20, 300).ok());
  ASSERT_TRUE(log_.AppendSynced(5, 2, 1, 4000).ok());  // in the next segment
  ASSERT_TRUE(log_.wal().CutPrefix(5).ok());
  EXPECT_EQ(log_.wal().first_index(), 1u);
  ASSERT_TRUE(log_.AppendSynced(6, 2, 20, 10).ok());
  ASSERT_TRUE(log_.wal().CutPrefix(22).ok());
  EXPECT_EQ(log_.wal().first_index(), 21u);
  log_.CrashAndOpen();
  EXPECT_EQ(log_.recovered().first_index, 21u);
  EXPECT_EQ(log_.recovered().compacted_term, 2u);
  EXPECT_EQ(log_.wal().last_index(), 25u);
}

TEST_F(WalTest, Reset) {
  for (raft::Index i = 1; i <= 20; ++i) ASSERT_TRUE(log_.AppendSynced(i, 1, 1, 2000).ok());
  raft::HardState hard_state{.term = 9, .vote = 1, .commit = 100};
  ASSERT_TRUE(log_.wal().Reset(100, 8, hard_state).ok());
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(log_.wal().first_index(), 101u);
    EXPECT_EQ(log_.wal().last_index(), 100u);
    EXPECT_EQ(log_.wal().TermAt(100), 8u);
    EXPECT_EQ(log_.wal().stats().segments, 1u);
    log_.CrashAndOpen();
    EXPECT_EQ(log_.recovered().hard_state, hard_state);
  }
  ASSERT_TRUE(log_.AppendSynced(101, 9, 3, 10).ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.wal().last_index(), 103u);
}

TEST_F(WalTest, OneWriteAndOneSyncPerGroup) {
  uint64_t before = log_.fs().faults().changes();
  ASSERT_TRUE(log_.AppendSynced(1, 1, 50, 20, raft::HardState{.term = 1}).ok());
  EXPECT_EQ(log_.fs().faults().changes() - before, 2u);
  ASSERT_TRUE(log_.wal().Sync().ok());
  EXPECT_EQ(log_.fs().faults().changes() - before, 2u);
  EXPECT_EQ(log_.wal().stats().syncs, 1u);
  EXPECT_EQ(log_.wal().stats().synced_entries, 50u);
}

TEST_F(WalTest, MarkOnlyWhenSomethingWasAppended) {
  ASSERT_TRUE(log_.Append(1, 1, 1, 20).ok());
  ASSERT_TRUE(log_.wal().Mark().ok());
  uint64_t before = log_.fs().faults().changes();
  ASSERT_TRUE(log_.wal().Mark().ok());
  EXPECT_EQ(log_.fs().faults().changes(), before);
  log_.CrashAndOpen();
  EXPECT_EQ(log_.wal().last_index(), 1u);
}

TEST_F(WalTest, PreparedSegmentsAreUsed) {
  ASSERT_TRUE(log_.wal().Prepare().ok());
  ASSERT_TRUE(log_.wal().Prepare().ok());
  EXPECT_EQ(log_.Files().size(), 2u);
  for (raft::Index i = 1; i <= 5; ++i) ASSERT_TRUE(log_.AppendSynced(i, 1, 1, 2000).ok());
  EXPECT_EQ(log_.Files().size(), 2u);
  EXPECT_EQ(log_.wal().stats().segments, 2u);
}

TEST_F(WalTest, FullDiskRefusesAndGoesOnWhenThereIsRoom) {
  log_.fs().SetCapacity(24 << 10);
  raft::Index i = 1;
  absl::Status status;
  for (; status.ok(); ++i) status = log_.AppendSynced(i, 1, 1, 2000);
  --i;  // not appended
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(log_.wal().last_index(), i - 1);
  EXPECT_TRUE(absl::IsResourceExhausted(log_.AppendSynced(i, 1, 1, 2000)));
  EXPECT_TRUE(log_.wal().Sync().ok());
  EXPECT_EQ(log_.All().size(), i - 1);
  log_.fs().SetCapacity(DiskImage::kUnlimited);
  ASSERT_TRUE(log_.AppendSynced(i, 1, 1, 2000).ok());
  log_.CrashAndOpen();
  EXPECT_EQ(log_.wal().last_index(), i);
}

TEST_F(WalTest, FailedSyncMakesTheLogUnusable) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 1, 20).ok());
  ASSERT_TRUE(log_.Append(2, 1, 1, 20).ok());
  log_.fs().faults().Fail(FsOp::kSync, ".wal", 0, absl::DataLossError("fdatasync: EIO"));
  absl::Status status = log_.wal().Sync();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), HasSubstr("fdatasync"));
  EXPECT_EQ(log_.wal().Sync(), status);  // a second fdatasync would lie
  EXPECT_EQ(log_.Append(3, 1, 1, 20), status);
  EXPECT_EQ(log_.wal().Mark(), status);
  EXPECT_EQ(log_.wal().CutPrefix(1), status);
  EXPECT_EQ(log_.wal().Reset(5, 1, {}), status);
}

TEST_F(WalTest, ReadChecksWhatItReads) {
  ASSERT_TRUE(log_.AppendSynced(1, 1, 3, 100).ok());
  std::string path = std::string(kDir) + "/" + log_.Files().front();
  auto file = *log_.fs().Open(path, OpenMode::kReadWrite);
  ASSERT_TRUE(file->WriteAt(8192 + 144 + 60, "!").ok());
  EXPECT_TRUE(log_.wal().Read(1, 2, 1000).ok());
  absl::Status status = log_.wal().Read(1, 4, 1000).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.message(), HasSubstr(path + ", offset 8336: entry 2 is damaged"));
}

// Readers beside the writer, who cuts segments off under their hands and reuses the files.
TEST_F(WalTest, ReadersBesideTheWriter) {
  std::vector<raft::Entry> first = {MakeEntry(1, 1, Text(1))};
  ASSERT_TRUE(log_.wal().Append(first, std::nullopt).ok());
  std::atomic<bool> done = false;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        raft::Index lo = log_.wal().first_index();
        auto entries = log_.wal().Read(lo, log_.wal().last_index() + 1, 10000);
        EXPECT_TRUE(entries.ok() || absl::IsOutOfRange(entries.status())) << entries.status();
        if (!entries.ok()) continue;
        EXPECT_EQ(entries->front(), MakeEntry(lo, lo, Text(lo)));
      }
    });
  }
  for (raft::Index i = 2; i <= 2000; ++i) {
    std::vector<raft::Entry> entry = {MakeEntry(i, i, Text(i))};
    EXPECT_TRUE(log_.wal().Append(entry, std::nullopt).ok());
    EXPECT_TRUE(log_.wal().CutPrefix(i > 5 ? i - 5 : 0).ok());
    EXPECT_TRUE(log_.wal().Prepare().ok());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
}

TEST(WalOptionsTest, OutOfRange) {
  Options options = SmallOptions();
  options.segment_bytes = 1000;
  TestLog log(options);
  EXPECT_TRUE(absl::IsInvalidArgument(log.TryOpen()));
}

}  // namespace
}  // namespace kdb::wal

// Power failures at every file-system call of an operation, and torn writes from seeds.
#include <gtest/gtest.h>

#include <functional>

#include "pkg/wal/format.h"
#include "pkg/wal/wal_test_util.h"

namespace kdb::wal {
namespace {

constexpr raft::HardState kVote{.term = 3, .vote = 2, .commit = 0};

// A log of entries 1..12 of term 1-3 in several segments, with a spare, all durable.
std::unique_ptr<TestLog> MakeLog() {
  auto log = std::make_unique<TestLog>();
  log->Open();
  for (raft::Index i = 1; i <= 12; ++i) {
    EXPECT_TRUE(log->AppendSynced(i, 1 + i / 5, 1, 2000).ok());
  }
  EXPECT_TRUE(log->AppendSynced(13, 3, 1, 10, kVote).ok());
  EXPECT_TRUE(log->wal().Prepare().ok());
  return log;
}

// Runs `operation` with the power failing before its 1st, 2nd, ... call that changes something,
// then `check`s what comes back; once dropping all that is not synced, and with random parts of it
// kept.
void AtEveryCall(const std::function<absl::Status(TestLog&)>& operation,
                 const std::function<void(TestLog&, bool finished)>& check) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    bool finished = false;
    for (uint64_t n = 0; !finished; ++n) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << ", stopped after " << n);
      ASSERT_LT(n, 1000u);
      std::unique_ptr<TestLog> log = MakeLog();
      log->fs().faults().StopAfter(n);
      finished = operation(*log).ok();
      log->Close();
      Random random(seed * 1000 + n);
      seed == 0 ? log->fs().Crash() : log->fs().Crash(random);
      log->Open();
      if (::testing::Test::HasFatalFailure()) return;
      check(*log, finished);
      // And nothing is left that a later start stumbles over.
      log->CrashAndOpen();
      check(*log, finished);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

void ExpectEntries(TestLog& log, raft::Index last) {
  std::vector<raft::Entry> all = log.All();
  ASSERT_EQ(log.wal().last_index(), last);
  for (const raft::Entry& entry : all) {
    EXPECT_EQ(entry.data.view()[0], static_cast<char>('a' + entry.index % 26));
  }
}

TEST(WalCrashTest, AppendThatStartsASegment) {
  AtEveryCall([](TestLog& log) { return log.AppendSynced(14, 3, 1, 10000); },
              [](TestLog& log, bool finished) {
                raft::Index last = log.wal().last_index();
                EXPECT_TRUE(last == 14 || (last == 13 && !finished)) << last;
                ExpectEntries(log, last);
                EXPECT_EQ(log.recovered().hard_state, kVote);
              });
}

TEST(WalCrashTest, VoteIsOldOrNew) {
  constexpr raft::HardState kNext{.term = 4, .vote = 1, .commit = 0};
  AtEveryCall(
      [&](TestLog& log) {
        absl::Status status = log.wal().Append({}, kNext);
        return status.ok() ? log.wal().Sync() : status;
      },
      [&](TestLog& log, bool finished) {
        ExpectEntries(log, 13);
        if (finished || log.recovered().hard_state != kVote) {
          EXPECT_EQ(log.recovered().hard_state, kNext);
        }
      });
}

TEST(WalCrashTest, CutPrefix) {
  AtEveryCall([](TestLog& log) { return log.wal().CutPrefix(11); },
              [](TestLog& log, bool finished) {
                ExpectEntries(log, 13);
                raft::Index first = log.wal().first_index();
                EXPECT_LE(first, 12u);
                EXPECT_GT(first, finished ? 7u : 0u);
                EXPECT_EQ(log.wal().TermAt(first - 1), first == 1 ? 0 : 1 + (first - 1) / 5);
              });
}

TEST(WalCrashTest, ResetIsAllOrNothing) {
  constexpr raft::HardState kReset{.term = 7, .vote = 0, .commit = 50};
  AtEveryCall([&](TestLog& log) { return log.wal().Reset(50, 6, kReset); },
              [&](TestLog& log, bool finished) {
                if (!finished && log.wal().last_index() == 13) {
                  ExpectEntries(log, 13);
                  EXPECT_EQ(log.wal().first_index(), 1u);
                  EXPECT_EQ(log.recovered().hard_state, kVote);
                  return;
                }
                EXPECT_EQ(log.wal().first_index(), 51u);
                EXPECT_EQ(log.wal().last_index(), 50u);
                EXPECT_EQ(log.wal().TermAt(50), 6u);
                EXPECT_EQ(log.recovered().hard_state, kReset);
              });
}

TEST(WalCrashTest, Open) {
  AtEveryCall(
      [](TestLog& log) {
        log.Close();
        return log.TryOpen();
      },
      [](TestLog& log, bool) {
        ExpectEntries(log, 13);
        EXPECT_EQ(log.recovered().hard_state, kVote);
      });
}

TEST(WalCrashTest, OpenAfterTornTail) {
  AtEveryCall(
      [](TestLog& log) {
        EXPECT_TRUE(log.Append(14, 3, 5, 700).ok() || log.fs().faults().stopped());
        log.Close();
        return log.TryOpen();
      },
      [](TestLog& log, bool) {
        raft::Index last = log.wal().last_index();
        EXPECT_GE(last, 13u);
        ExpectEntries(log, last);
        EXPECT_EQ(log.recovered().hard_state, kVote);
      });
}

// What was torn off must not come back at a later start, when entries of another term may be in its
// place.
TEST(WalCrashTest, DroppedTailStaysDropped) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::unique_ptr<TestLog> log = MakeLog();
    ASSERT_TRUE(log->Append(14, 3, 8, 200).ok());
    log->Close();
    Random random(seed);
    log->fs().Crash(random);
    log->Open();
    raft::Index last = log->wal().last_index();
    log->CrashAndOpen();
    ASSERT_EQ(log->wal().last_index(), last);
    ASSERT_TRUE(log->AppendSynced(last + 1, 4, 1, 10).ok());
    log->CrashAndOpen();
    ASSERT_EQ(log->wal().last_index(), last + 1);
    ASSERT_EQ(log->wal().TermAt(last + 1), 4u);
  }
}

// A process that dies while the system lives on leaves everything, also what it never synced.
TEST(WalCrashTest, UnsyncedBytesThatRecoveryReadAreMadeDurable) {
  std::unique_ptr<TestLog> log = MakeLog();
  ASSERT_TRUE(log->Append(14, 3, 3, 10).ok());
  log->Open();  // without a power failure
  ASSERT_EQ(log->wal().last_index(), 16u);
  log->CrashAndOpen();
  ASSERT_EQ(log->wal().last_index(), 16u);
}

TEST(WalCrashTest, RecycledBytesNeverLookValid) {
  TestLog log;
  log.Open();
  raft::Index last = 0;
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.AppendSynced(++last, 1, 1, 1960).ok());
    ASSERT_TRUE(log.wal().CutPrefix(last - 1).ok());
    log.CrashAndOpen();  // into a recycled file, full of records at the same offsets
    ASSERT_EQ(log.recovered().last_index, last);
    ASSERT_EQ(log.recovered().dropped_tail_bytes, 0u);
  }
}

TEST(RecordCodecTest, RecordsBelongToOneUseOfOneSegmentAtOneOffset) {
  SegmentHeader a{.id = 1, .incarnation = 5};
  SegmentHeader other_id{.id = 2, .incarnation = 5};
  SegmentHeader other_use{.id = 1, .incarnation = (uint64_t{1} << 32) + 5};  // same low half
  RecordHeader header;
  header.type = RecordType::kEntry;
  header.index = 7;
  std::string bytes;
  RecordCodec(a).Append(bytes, 8192, header, "body");
  RecordHeader parsed;
  EXPECT_TRUE(RecordCodec(a).ParseHeader(bytes, 8192, 1 << 20, &parsed));
  EXPECT_EQ(parsed.index, 7u);
  EXPECT_FALSE(RecordCodec(a).ParseHeader(bytes, 8200, 1 << 20, &parsed));
  EXPECT_FALSE(RecordCodec(other_id).ParseHeader(bytes, 8192, 1 << 20, &parsed));
  EXPECT_FALSE(RecordCodec(other_use).ParseHeader(bytes, 8192, 1 << 20, &parsed));
  EXPECT_FALSE(RecordCodec(a).ParseHeader(bytes, 8192, 8192 + 40, &parsed));  // beyond the end
}

TEST(RecordCodecTest, HardStateCopiesAreInDifferentBlocks) {
  SegmentHeader segment{.id = 1, .incarnation = 5};
  for (uint64_t offset = 8192; offset < 16384; offset += 8) {
    std::string bytes;
    RecordCodec(segment).AppendHardState(bytes, offset, 0, {.term = 1, .vote = 2, .commit = 3},
                                         true);
    uint64_t second = offset + bytes.size() - 56;
    EXPECT_EQ(second % 4096, 0u);
    EXPECT_LE(offset + 56, second);
    RecordHeader header;
    ASSERT_TRUE(RecordCodec(segment).ParseHeader(std::string_view(bytes).substr(second - offset),
                                                 second, 1 << 20, &header));
    EXPECT_EQ(header.index, offset);
  }
}

}  // namespace
}  // namespace kdb::wal

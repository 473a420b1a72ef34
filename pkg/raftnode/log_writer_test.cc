#include "pkg/raftnode/log_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/raftnode/fakes_test.h"

namespace kdb::raftnode {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest()
      : metrics_(registry_),
        role_(executor_),
        sender_(transport_, clock_),
        writer_(log_, role_, sender_, events_, clock_, metrics_, milliseconds(10)) {}

  WriteRequest Write(raft::Index first, raft::Index last, raft::Term term) {
    WriteRequest request;
    request.seq = ++seq_;
    request.must_sync = true;
    request.entries = MakeEntries(first, last, term);
    request.messages.push_back(MakeMessage(raft::MessageType::kAppendReply, 2));
    return request;
  }
  WriteRequest Commit(raft::Index index) {
    WriteRequest request;
    request.seq = ++seq_;
    request.hard_state = raft::HardState{1, 1, index};
    return request;
  }
  // What the driver does on OnPersisted.
  void Persist() {
    executor_.RunReady();
    writer_.Persisted(events_.persisted);
  }

  obs::Registry registry_;
  NodeMetrics metrics_;
  ManualClock clock_;
  ManualExecutor executor_;
  GatedExecutor role_;
  RecordingTransport transport_;
  PeerSender sender_;
  RecordingWal log_;
  RecordingEvents events_;
  LogWriter writer_;
  uint64_t seq_ = 0;
};

TEST_F(LogWriterTest, MessagesLeaveAfterTheSync) {
  EXPECT_FALSE(writer_.Submit(Write(1, 2, 1)));
  EXPECT_THAT(transport_.sent, IsEmpty());
  EXPECT_EQ(events_.persisted, 0);
  executor_.RunReady();
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1 2@1", "sync"));
  EXPECT_EQ(events_.persisted, 1);
  ASSERT_THAT(transport_.sent, SizeIs(1));
  EXPECT_EQ(transport_.sent[0].wall_ms, 1234);
}

TEST_F(LogWriterTest, NothingLeavesWhenTheLogFails) {
  writer_.Submit(Write(1, 1, 1));
  log_.error = absl::DataLossError("EIO");
  executor_.RunReady();
  EXPECT_THAT(transport_.sent, IsEmpty());
  EXPECT_EQ(events_.persisted, 0);
  EXPECT_THAT(events_.failed.ToString(), HasSubstr("writing the log: EIO"));
  log_.error = absl::OkStatus();
  writer_.Submit(Write(2, 2, 1));
  executor_.RunReady();
  writer_.MarkCleanly();
  EXPECT_THAT(log_.calls, SizeIs(1));  // never touched again
}

TEST_F(LogWriterTest, WhatWaitsGoesInOneWrite) {
  writer_.Submit(Write(1, 2, 1));
  writer_.Submit(Write(3, 3, 1));
  writer_.Submit(Commit(2));
  EXPECT_EQ(executor_.Backlog(), 1);
  executor_.RunReady();
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1 2@1 3@1 commit=2", "sync"));
  EXPECT_EQ(events_.persisted, 3);
  EXPECT_THAT(transport_.sent, SizeIs(2));
}

TEST_F(LogWriterTest, SupersededEntriesAreNotWritten) {
  writer_.Submit(Write(1, 5, 1));
  writer_.Submit(Write(3, 4, 2));
  executor_.RunReady();
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1 2@1 3@2 4@2", "sync"));
}

TEST_F(LogWriterTest, WholeBatchMayBeSuperseded) {
  writer_.Submit(Write(1, 5, 1));
  executor_.RunReady();
  writer_.Submit(Write(6, 7, 1));
  writer_.Submit(Write(4, 4, 2));
  executor_.RunReady();
  EXPECT_EQ(log_.calls[2], "append 4@2");
}

TEST_F(LogWriterTest, CommitAloneWaitsForTheNextWrite) {
  EXPECT_TRUE(writer_.Submit(Commit(7)));
  EXPECT_EQ(executor_.Backlog(), 0);
  writer_.Submit(Write(8, 8, 1));
  Persist();
  EXPECT_THAT(log_.calls, ElementsAre("append 8@1 commit=7", "sync"));
}

TEST_F(LogWriterTest, CommitAloneGoesWithTheMark) {
  writer_.Submit(Write(1, 1, 1));
  Persist();
  EXPECT_TRUE(writer_.Submit(Commit(1)));
  clock_.now += milliseconds(10);
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1", "sync", "append commit=1", "mark"));
}

TEST_F(LogWriterTest, RequestWithoutWriteStillWaitsItsTurn) {
  writer_.Submit(Write(1, 1, 1));
  WriteRequest answer;
  answer.seq = ++seq_;
  answer.messages.push_back(MakeMessage(raft::MessageType::kAppendReply, 3));
  EXPECT_FALSE(writer_.Submit(std::move(answer)));
  EXPECT_THAT(transport_.sent, IsEmpty());
  Persist();
  EXPECT_THAT(transport_.sent, SizeIs(2));
  EXPECT_EQ(events_.persisted, 2);
}

TEST_F(LogWriterTest, VoteIsSyncedWithoutEntries) {
  WriteRequest vote = Commit(0);
  vote.must_sync = true;
  EXPECT_FALSE(writer_.Submit(std::move(vote)));
  Persist();
  EXPECT_THAT(log_.calls, ElementsAre("append commit=0", "sync"));
}

TEST_F(LogWriterTest, MarksOnlyAfterIdleness) {
  writer_.Submit(Write(1, 1, 1));
  Persist();
  clock_.now += milliseconds(6);
  writer_.Submit(Write(2, 2, 1));
  Persist();
  clock_.now += milliseconds(4);
  EXPECT_EQ(executor_.timers(), 1);  // one, however many writes
  executor_.FireTimer();             // idle for 4 ms: too early
  EXPECT_THAT(log_.calls, SizeIs(4));
  clock_.now += milliseconds(6);
  executor_.FireTimer();
  EXPECT_THAT(log_.calls, SizeIs(5));
  EXPECT_EQ(log_.calls.back(), "mark");
  EXPECT_FALSE(executor_.FireTimer());
}

TEST_F(LogWriterTest, WaitingSinceTellsOfAStall) {
  EXPECT_EQ(writer_.WaitingSince(), std::nullopt);
  clock_.now = milliseconds(100);
  writer_.Submit(Write(1, 1, 1));
  clock_.now = milliseconds(500);
  writer_.Submit(Write(2, 2, 1));
  EXPECT_EQ(writer_.WaitingSince(), milliseconds(100));
  writer_.Persisted(1);  // progress, although more waits
  EXPECT_EQ(writer_.WaitingSince(), milliseconds(500));
  writer_.Persisted(2);
  EXPECT_EQ(writer_.WaitingSince(), std::nullopt);
}

TEST_F(LogWriterTest, FullDiskIsTriedAgainUntilThereIsRoom) {
  log_.error = absl::ResourceExhaustedError("no space");
  writer_.Submit(Write(1, 2, 1));
  executor_.RunReady();
  EXPECT_THAT(events_.troubles[Trouble::kLogDiskFull], HasSubstr("no space"));
  writer_.Submit(Write(3, 3, 1));
  executor_.RunReady();
  executor_.FireTimer();
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1 2@1", "append 1@1 2@1"));
  EXPECT_THAT(transport_.sent, IsEmpty());
  EXPECT_TRUE(events_.failed.ok());
  log_.error = absl::OkStatus();
  executor_.FireTimer();
  EXPECT_THAT(events_.troubles[Trouble::kLogDiskFull], IsEmpty());
  EXPECT_EQ(log_.calls.back(), "sync");
  EXPECT_EQ(events_.persisted, 2);
  EXPECT_EQ(log_.last_index(), 3);
}

TEST_F(LogWriterTest, CutMakesRoomForTheWriteThatWaitsForIt) {
  writer_.Submit(Write(1, 9, 1));
  Persist();
  clock_.now += milliseconds(10);
  executor_.FireTimer();  // the mark
  log_.calls.clear();
  log_.no_room = absl::ResourceExhaustedError("no space");
  writer_.Submit(Write(10, 10, 1));
  executor_.RunReady();
  writer_.CutPrefix(4);
  executor_.FireTimer();
  EXPECT_THAT(log_.calls, ElementsAre("append 10@1", "cut 4", "append 10@1", "sync"));
  EXPECT_THAT(events_.troubles[Trouble::kLogDiskFull], IsEmpty());
  EXPECT_EQ(events_.persisted, 2);
}

TEST_F(LogWriterTest, FailedCutEndsTheRetries) {
  log_.no_room = absl::ResourceExhaustedError("no space");
  writer_.Submit(Write(1, 1, 1));
  executor_.RunReady();
  log_.error = absl::DataLossError("EIO");
  writer_.CutPrefix(1);
  executor_.FireTimer();
  EXPECT_THAT(events_.failed.ToString(), HasSubstr("cutting the log: EIO"));
  EXPECT_THAT(log_.calls, ElementsAre("append 1@1", "cut 1"));
  EXPECT_FALSE(executor_.FireTimer());
  EXPECT_EQ(events_.persisted, 0);
}

TEST_F(LogWriterTest, CutComesAfterTheWrite) {
  writer_.Submit(Write(1, 9, 1));
  writer_.CutPrefix(4);
  executor_.RunReady();
  EXPECT_THAT(log_.calls, ElementsAre(HasSubstr("append"), "sync", "cut 4"));
}

}  // namespace
}  // namespace kdb::raftnode

#include "pkg/raftnode/applier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/raftnode/fakes_test.h"

namespace kdb::raftnode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Answers every entry with its index.
class IndexMachine final : public StateMachine {
 public:
  AppliedState applied() const override { return {applied_, 1, {}}; }
  absl::Status Apply(std::span<const CommittedEntry> entries,
                     std::vector<Payload>* results) override {
    ++calls;
    if (!error.ok()) return error;
    for (const CommittedEntry& e : entries) {
      applied_ = e.entry.index;
      results->push_back(Payload(std::to_string(applied_)));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<raft::Index> PersistedIndex() const override { return 0; }
  absl::Status Flush() override { return absl::OkStatus(); }

  int calls = 0;
  absl::Status error;

 private:
  raft::Index applied_ = 0;
};

// Shows what it executed only by Commit, as a machine on an engine does.
class StagingMachine final : public StateMachine {
 public:
  AppliedState applied() const override { return {visible, 1, {}}; }
  absl::Status Apply(std::span<const CommittedEntry> entries,
                     std::vector<Payload>* results) override {
    for (const CommittedEntry& e : entries) {
      EXPECT_EQ(e.entry.index, executed + 1);
      executed = e.entry.index;
      results->push_back(Payload(std::to_string(executed)));
    }
    return absl::OkStatus();
  }
  bool staged() const override { return executed > visible; }
  bool CommitFollows(const raft::Entry& entry) const override { return entry.index == cut_after; }
  absl::Status Commit() override {
    if (commits == 0) first_commit = executed;
    ++commits;
    if (error.ok()) {
      visible = executed;
    } else {
      executed = visible;
    }
    return error;
  }
  absl::StatusOr<raft::Index> PersistedIndex() const override { return 0; }
  absl::Status Flush() override { return absl::OkStatus(); }

  raft::Index cut_after = 0;
  int commits = 0;
  raft::Index first_commit = 0;
  raft::Index executed = 0;
  raft::Index visible = 0;
  absl::Status error;
};

constexpr size_t kTooMuchHere = Applier::kMaxBytesHere + 1;

template <class Machine>
class ApplierFixture : public ::testing::Test {
 protected:
  ApplierFixture()
      : metrics_(registry_),
        role_(executor_),
        admission_(100),
        applier_(machine_, role_, events_, clock_, metrics_) {}

  // Entries [first, last]; the last one is waited for.
  void Submit(raft::Index first, raft::Index last, size_t bytes = 10) {
    std::vector<CommittedEntry> entries;
    for (raft::Entry& e : MakeEntries(first, last, 1, bytes)) entries.push_back({e, nullptr});
    std::vector<Waiter> waiters;
    waiters.push_back({last, 1,
                       [this](absl::StatusOr<Payload> r) {
                         log_.push_back(r.ok() ? std::string(r->view())
                                               : absl::StatusCodeToString(r.status().code()));
                       },
                       Clock::Duration(0), *admission_.TryEnter()});
    applier_.Submit(std::move(entries), std::move(waiters));
  }
  void Read(raft::Index index) {
    ReadBatch batch;
    batch.index = index;
    batch.reads.push_back(
        {[this](absl::Status s) { log_.push_back("read " + absl::StatusCodeToString(s.code())); },
         *admission_.TryEnter()});
    applier_.SubmitReads(std::move(batch));
  }

  obs::Registry registry_;
  NodeMetrics metrics_;
  ManualClock clock_;
  ManualExecutor executor_;
  GatedExecutor role_;
  RecordingEvents events_;
  Machine machine_;
  Admission admission_;
  Applier applier_;
  std::vector<std::string> log_;
};

using ApplierTest = ApplierFixture<IndexMachine>;
using StagingApplierTest = ApplierFixture<StagingMachine>;

TEST_F(ApplierTest, GivesEachWaiterTheResultOfItsEntry) {
  Submit(1, 3, kTooMuchHere);
  Submit(4, 4);
  EXPECT_EQ(admission_.used(), 2);
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("3", "4"));
  EXPECT_EQ(machine_.calls, 1);
  EXPECT_EQ(events_.applied, 4);
  EXPECT_EQ(applier_.queued_bytes(), 0);
  EXPECT_EQ(admission_.used(), 0);
}

TEST_F(ApplierTest, OneCallIsBounded) {
  Submit(1, 5, Applier::kMaxApplyBytes / 2);
  EXPECT_GT(applier_.queued_bytes(), 2 * Applier::kMaxApplyBytes);
  executor_.RunReady();
  EXPECT_EQ(machine_.calls, 3);
  EXPECT_THAT(log_, ElementsAre("5"));
}

TEST_F(ApplierTest, ReadWaitsForItsPoint) {
  Submit(1, 3);
  Read(5);
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("3"));
  Submit(4, 6);
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("3", "6", "read OK"));
}

TEST_F(ApplierTest, ReadOfAppliedStateRunsAtOnce) {
  Submit(1, 3);
  executor_.RunReady();
  Read(3);
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("3", "read OK"));
}

TEST_F(ApplierTest, ReadMadeByAResultIsNotForgotten) {
  std::vector<CommittedEntry> entries{{MakeEntries(1, 1, 1)[0], nullptr}};
  std::vector<Waiter> waiters;
  waiters.push_back({1, 1, [this](absl::StatusOr<Payload>) { Read(1); }, Clock::Duration(0),
                     *admission_.TryEnter()});
  applier_.Submit(std::move(entries), std::move(waiters));
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("read OK"));
}

TEST_F(ApplierTest, FullDiskIsTriedAgainWithTheSameEntries) {
  machine_.error = absl::ResourceExhaustedError("no space");
  Submit(1, 2);
  Submit(3, 3);
  executor_.RunReady();
  EXPECT_THAT(events_.troubles[Trouble::kApplyDiskFull], HasSubstr("no space"));
  Read(0);  // what is applied can be read
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("read OK"));
  EXPECT_EQ(machine_.calls, 1);  // not tried before its time
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_EQ(machine_.calls, 2);
  machine_.error = absl::OkStatus();
  ASSERT_TRUE(executor_.FireTimer());
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("read OK", "2", "3"));
  EXPECT_THAT(events_.troubles[Trouble::kApplyDiskFull], IsEmpty());
}

TEST_F(ApplierTest, OtherErrorsAreFinal) {
  machine_.error = absl::DataLossError("EIO");
  Submit(1, 2);
  executor_.RunReady();
  EXPECT_THAT(events_.failed.ToString(), HasSubstr("applying entries 1 to 2: EIO"));
  Submit(3, 3);
  executor_.RunReady();
  EXPECT_EQ(machine_.calls, 1);
  applier_.FailAll();
  EXPECT_THAT(log_, ElementsAre("ABORTED", "ABORTED"));
}

TEST_F(StagingApplierTest, AFewEntriesAreExecutedByWhoeverSubmitsThem) {
  Submit(1, 1);
  Submit(2, 2);
  EXPECT_THAT(log_, ElementsAre("1", "2"));
  EXPECT_EQ(machine_.commits, 0);
  Submit(3, 3, kTooMuchHere);
  EXPECT_THAT(log_, SizeIs(2));
  executor_.RunReady();
  EXPECT_THAT(log_, SizeIs(3));
}

TEST_F(StagingApplierTest, ManyEntriesAreMadeVisibleAtOnceAndLater) {
  Submit(1, 1);
  Submit(2, 50);
  executor_.RunReady();
  Submit(51, 51);
  executor_.RunReady();
  EXPECT_EQ(machine_.executed, 51);
  EXPECT_EQ(applier_.applied(), 0);
  EXPECT_GT(applier_.queued_bytes(), 0);
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_EQ(machine_.commits, 1);
  EXPECT_EQ(applier_.applied(), 51);
  EXPECT_EQ(events_.applied, 51);
  EXPECT_EQ(applier_.queued_bytes(), 0);
  EXPECT_EQ(executor_.timers(), 0);
}

TEST_F(StagingApplierTest, NothingIsExecutedBetweenAnEntryAndTheCommitItWants) {
  machine_.cut_after = 2;
  Submit(1, 5);
  Submit(6, 7, kTooMuchHere);
  executor_.RunReady();
  EXPECT_EQ(machine_.first_commit, 2);
  EXPECT_EQ(machine_.executed, 7);
  EXPECT_THAT(log_, ElementsAre("5", "7"));
}

TEST_F(StagingApplierTest, TheCommitThatAnEntryWantsIsTriedAgainOnAFullDisk) {
  machine_.cut_after = 2;
  machine_.error = absl::ResourceExhaustedError("no space");
  Submit(1, 5);
  executor_.RunReady();
  EXPECT_EQ(machine_.first_commit, 2);
  EXPECT_EQ(machine_.visible, 0);
  machine_.error = absl::OkStatus();
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_EQ(machine_.visible, 2);
  executor_.RunReady();
  EXPECT_EQ(machine_.executed, 5);
}

TEST_F(StagingApplierTest, MuchIsMadeVisibleAtOnce) {
  Submit(1, 2, Applier::kEnoughToCommit);
  executor_.RunReady();
  EXPECT_EQ(applier_.applied(), 2);
}

TEST_F(StagingApplierTest, AReadSeesWhatWasExecutedBefore) {
  Submit(1, 1);
  Read(1);
  EXPECT_THAT(log_, ElementsAre("1"));
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("1", "read OK"));
  EXPECT_EQ(machine_.visible, 1);
}

TEST_F(StagingApplierTest, AReadThatIsExpectedFindsItsPointVisible) {
  applier_.ExpectReads();  // nothing to be made visible
  executor_.RunReady();
  EXPECT_EQ(machine_.commits, 0);
  Submit(1, 1);
  applier_.ExpectReads();
  executor_.RunReady();
  EXPECT_EQ(machine_.visible, 1);
  Read(1);
  EXPECT_THAT(log_, ElementsAre("1", "read OK"));
}

TEST_F(StagingApplierTest, WhereReadsComeEntriesAreMadeVisibleAtOnce) {
  applier_.ExpectReads();
  Submit(1, 1);
  EXPECT_THAT(log_, ElementsAre("1"));
  executor_.RunReady();
  EXPECT_EQ(machine_.visible, 1);
  for (raft::Index i = 2; i < 2 + Applier::kReadsLinger; ++i) {
    Submit(i, i);
    executor_.RunReady();
  }
  EXPECT_LT(machine_.visible, machine_.executed);
}

TEST_F(StagingApplierTest, AFullDiskUndoesAllThatIsNotVisibleAndItIsExecutedAgainUnanswered) {
  Submit(1, 1);
  Submit(2, 20);
  executor_.RunReady();
  machine_.error = absl::ResourceExhaustedError("no space");
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_THAT(events_.troubles[Trouble::kApplyDiskFull], HasSubstr("no space"));
  Submit(21, 21);  // waits for its turn
  Read(1);
  executor_.RunReady();
  EXPECT_THAT(log_, ElementsAre("1", "20"));
  ASSERT_TRUE(executor_.FireTimer());  // in vain
  machine_.error = absl::OkStatus();
  while (executor_.FireTimer()) {
  }
  EXPECT_THAT(log_, ElementsAre("1", "20", "21", "read OK"));
  EXPECT_EQ(machine_.visible, 21);
  EXPECT_THAT(events_.troubles[Trouble::kApplyDiskFull], IsEmpty());
}

TEST_F(StagingApplierTest, AnErrorOfCommitIsFinal) {
  Submit(1, 1);
  machine_.error = absl::DataLossError("EIO");
  ASSERT_TRUE(executor_.FireTimer());
  EXPECT_THAT(events_.failed.ToString(), HasSubstr("applying entries 1 to 1: EIO"));
  Submit(2, 2);
  executor_.RunReady();
  EXPECT_EQ(machine_.executed, 0);
}

TEST_F(ApplierTest, EndAnswersAll) {
  Submit(1, 2, kTooMuchHere);
  Read(9);
  role_.Close();
  executor_.RunReady();
  EXPECT_THAT(log_, IsEmpty());
  applier_.FailAll();
  EXPECT_THAT(log_, ElementsAre("ABORTED", "read UNAVAILABLE"));
}

}  // namespace
}  // namespace kdb::raftnode

#include "pkg/raft/progress.h"

#include <gtest/gtest.h>

namespace kdb::raft {
namespace {

Config Limits() {
  Config c;
  c.max_inflight_messages = 2;
  c.max_inflight_bytes = 100;
  return c;
}

class ProgressTest : public testing::Test {
 protected:
  // Matches up to `index` and pipelines.
  void Replicate(Index index) {
    progress_.SentAppend(0, 0);
    progress_.Acked(index, 1);
    ASSERT_EQ(progress_.state(), ProgressState::kReplicate);
  }

  const Config config_ = Limits();
  Progress progress_{2, 5, config_};
};

TEST_F(ProgressTest, ProbesOneAppendAtATime) {
  EXPECT_TRUE(progress_.WantsAppend(9));
  progress_.SentAppend(3, 30);
  EXPECT_FALSE(progress_.WantsAppend(9));
  EXPECT_EQ(progress_.next(), 5u);
  progress_.HeartbeatAcked(0);
  EXPECT_TRUE(progress_.WantsAppend(9));
}

TEST_F(ProgressTest, RefusalOfAnotherProbeIsStale) {
  progress_.SentAppend(1, 10);
  EXPECT_FALSE(progress_.Rejected(3, 1));
  EXPECT_TRUE(progress_.Rejected(4, 1));
  EXPECT_EQ(progress_.next(), 2u);
  EXPECT_FALSE(progress_.Rejected(4, 1));
}

TEST_F(ProgressTest, RefusalOfWhatIsAcknowledgedIsStale) {
  Replicate(8);
  progress_.SentAppend(2, 20);
  EXPECT_FALSE(progress_.Rejected(7, 3));
  EXPECT_FALSE(progress_.Rejected(8, 3));
  EXPECT_EQ(progress_.state(), ProgressState::kReplicate);
  EXPECT_TRUE(progress_.Rejected(10, 9));
  EXPECT_EQ(progress_.state(), ProgressState::kProbe);
  EXPECT_EQ(progress_.next(), 10u);
}

TEST_F(ProgressTest, WindowBoundsMessagesAndBytes) {
  Replicate(4);
  progress_.SentAppend(1, 10);
  progress_.SentAppend(1, 10);
  EXPECT_FALSE(progress_.WantsAppend(9));
  progress_.Acked(5, 1);
  EXPECT_TRUE(progress_.WantsAppend(9));
  progress_.SentAppend(1, 200);
  progress_.Acked(6, 1);
  EXPECT_FALSE(progress_.WantsAppend(9));
  progress_.Acked(7, 1);
  EXPECT_TRUE(progress_.WantsAppend(9));
}

TEST_F(ProgressTest, SnapshotEndsWhenTheLogIsReached) {
  progress_.BecomeSnapshot(20);
  EXPECT_FALSE(progress_.WantsAppend(30));
  EXPECT_FALSE(progress_.Rejected(4, 1));
  progress_.Acked(10, 20);
  EXPECT_EQ(progress_.state(), ProgressState::kSnapshot);
  progress_.Acked(19, 20);
  EXPECT_EQ(progress_.state(), ProgressState::kReplicate);
  EXPECT_EQ(progress_.next(), 20u);
}

TEST_F(ProgressTest, SuspectCountsNothingForGood) {
  Replicate(8);
  progress_.HeartbeatAcked(3);
  progress_.Suspect(6);
  EXPECT_EQ(progress_.next(), 7u);
  progress_.Acked(9, 1);
  progress_.HeartbeatAcked(4);
  EXPECT_EQ(progress_.match(), 9u);
  EXPECT_EQ(progress_.counted(), 0u);
  EXPECT_EQ(progress_.counted_round(), 0u);
}

}  // namespace
}  // namespace kdb::raft

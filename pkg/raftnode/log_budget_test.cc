#include "pkg/raftnode/log_budget.h"

#include <gtest/gtest.h>

namespace kdb::raftnode {
namespace {

using std::chrono::seconds;

constexpr size_t kMiB = 1 << 20;
constexpr LogBudget::Options kOptions{.keep_bytes = 4 * kMiB,
                                      .hold_bytes = 8 * kMiB,
                                      .flush_bytes = 2 * kMiB,
                                      .flush_interval = seconds(100)};

TEST(LogBudget, FlushIsDueByBytesApplied) {
  LogBudget budget(kOptions, 1, 0, 0, seconds(0));
  EXPECT_FALSE(budget.ShouldFlush(seconds(1)));
  budget.Applied(10, 2 * kMiB - 1);
  EXPECT_FALSE(budget.ShouldFlush(seconds(1)));
  budget.Applied(11, 1);
  EXPECT_TRUE(budget.ShouldFlush(seconds(1)));
  budget.FlushBegan(seconds(1));
  EXPECT_FALSE(budget.ShouldFlush(seconds(1)));
}

TEST(LogBudget, FlushIsDueByTimeWhenThereIsSomethingNew) {
  LogBudget budget(kOptions, 1, 5, 5, seconds(0));
  EXPECT_FALSE(budget.ShouldFlush(seconds(1000)));
  budget.Applied(6, 10);
  EXPECT_FALSE(budget.ShouldFlush(seconds(99)));
  EXPECT_TRUE(budget.ShouldFlush(seconds(100)));
  budget.FlushBegan(seconds(100));
  EXPECT_FALSE(budget.ShouldFlush(seconds(1000)));
}

TEST(LogBudget, CutKeepsTheTailAndWhatIsNotPersisted) {
  LogBudget budget(kOptions, 1, 0, 0, seconds(0));
  for (raft::Index i = 1; i <= 10; ++i) budget.Appended(i, kMiB);
  EXPECT_EQ(budget.CutAfterFlush(3), 3);
  EXPECT_EQ(budget.CutAfterFlush(3), 0);  // nothing new
  EXPECT_EQ(budget.CutAfterFlush(10), 6);
  budget.Appended(11, kMiB);
  EXPECT_EQ(budget.CutAfterFlush(11), 7);
}

TEST(LogBudget, WhatIsHeldIsKeptUpToABound) {
  LogBudget budget(kOptions, 1, 0, 0, seconds(0));
  for (raft::Index i = 1; i <= 10; ++i) budget.Appended(i, kMiB);
  budget.Hold(3);
  EXPECT_EQ(budget.CutAfterFlush(10), 3);
  budget.Appended(11, kMiB);
  EXPECT_EQ(budget.CutAfterFlush(11), 0);
  budget.Appended(12, kMiB);  // 9 MiB are behind the fourth
  EXPECT_EQ(budget.CutAfterFlush(12), 4);
  budget.Hold(0);
  EXPECT_EQ(budget.CutAfterFlush(12), 8);
}

TEST(LogBudget, LogOfBeforeTheStartIsCutAsAWhole) {
  LogBudget budget(kOptions, 50, 100, 100, seconds(0));
  EXPECT_EQ(budget.CutAfterFlush(100), 0);
  budget.Appended(110, 4 * kMiB);
  EXPECT_EQ(budget.CutAfterFlush(110), 100);
}

TEST(LogBudget, TruncatedEntriesAreNoCutPoints) {
  LogBudget budget(kOptions, 1, 0, 0, seconds(0));
  for (raft::Index i = 1; i <= 4; ++i) budget.Appended(i, kMiB);
  budget.Appended(2, kMiB);  // 2 to 4 replaced
  for (raft::Index i = 3; i <= 12; ++i) budget.Appended(i, kMiB);
  raft::Index cut = budget.CutAfterFlush(2);
  EXPECT_LE(cut, 2);
}

}  // namespace
}  // namespace kdb::raftnode

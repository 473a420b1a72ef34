#include "pkg/routing/log_time_estimate.h"

#include <gtest/gtest.h>

namespace kdb::routing {
namespace {

using std::chrono::milliseconds;

TEST(LogTimeEstimateTest, IsUnknownUntilAnAnswerTells) {
  LogTimeEstimate estimate;
  estimate.Note(0, milliseconds(10), milliseconds(20));
  EXPECT_EQ(estimate.At(milliseconds(30)), 0);
}

TEST(LogTimeEstimateTest, AddsWhatHasPassedHere) {
  LogTimeEstimate estimate;
  estimate.Note(5000, milliseconds(10), milliseconds(20));
  EXPECT_EQ(estimate.At(milliseconds(20)), 5000);
  EXPECT_EQ(estimate.At(milliseconds(320)), 5300);
}

TEST(LogTimeEstimateTest, AnOldAnswerDoesNotSetItBack) {
  LogTimeEstimate estimate;
  estimate.Note(5000, milliseconds(10), milliseconds(20));
  estimate.Note(5001, milliseconds(10), milliseconds(520));  // the stored one, sent again
  EXPECT_EQ(estimate.At(milliseconds(520)), 5500);
}

TEST(LogTimeEstimateTest, FollowsAGroupWhoseTimeIsSlower) {
  LogTimeEstimate estimate;
  estimate.Note(5000, milliseconds(10), milliseconds(20));
  estimate.Note(5090, milliseconds(518), milliseconds(520));
  EXPECT_EQ(estimate.At(milliseconds(520)), 5093);
}

TEST(LogTimeEstimateTest, FollowsAGroupWhoseTimeIsFaster) {
  LogTimeEstimate estimate;
  estimate.Note(5000, milliseconds(10), milliseconds(20));
  estimate.Note(7000, milliseconds(518), milliseconds(520));
  EXPECT_EQ(estimate.At(milliseconds(520)), 7000);
}

}  // namespace
}  // namespace kdb::routing

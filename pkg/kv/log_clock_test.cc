#include "pkg/kv/log_clock.h"

#include <gtest/gtest.h>

namespace kdb::kv {
namespace {

constexpr int64_t kNoon = 1'700'000'000'000;  // true time when a test begins, ms
constexpr int64_t kHour = 3'600'000;

class FakeClock final : public Clock {
 public:
  Duration Monotonic() const override {
    return std::chrono::milliseconds(mono_ms) + std::chrono::microseconds(mono_us);
  }
  int64_t WallMillis() const override { return kNoon + mono_ms - kMonoAtNoon + skew_ms; }

  static constexpr int64_t kMonoAtNoon = 5000;
  int64_t mono_ms = kMonoAtNoon;
  int64_t mono_us = 0;
  int64_t skew_ms = 0;  // of the wall clock from true time
};

// A leader and its peers' clocks, given as their skew from true time.
class LogClockTest : public testing::Test {
 protected:
  int64_t TrueNow() const { return kNoon + clock_.mono_ms - FakeClock::kMonoAtNoon; }

  void HearPeers() {
    uint64_t id = 2;
    for (int64_t skew : peers_) log_clock_.OnPeerClock(id++, TrueNow() + skew);
  }
  // Lets time pass, hearing the peers every 100 ms. How far log time is ahead of true time then.
  int64_t Run(int64_t ms) {
    int64_t stamp = 0;
    for (int64_t end = clock_.mono_ms + ms; clock_.mono_ms < end;) {
      clock_.mono_ms += 100;
      HearPeers();
      int64_t next = log_clock_.Now();
      EXPECT_GE(next, stamp);
      stamp = next;
    }
    return stamp - TrueNow();
  }

  FakeClock clock_;
  LogClock log_clock_{clock_};
  std::vector<int64_t> peers_;
};

TEST_F(LogClockTest, ASingleMemberFollowsItsOwnClock) {
  log_clock_.Start(0, 1);
  EXPECT_EQ(log_clock_.Now(), kNoon);  // a group that was just born
  EXPECT_EQ(Run(5000), 0);
}

TEST_F(LogClockTest, WithoutAMajorityOfClocksOnlyMonotonicTimePasses) {
  log_clock_.Start(kNoon - kHour, 3);
  EXPECT_EQ(log_clock_.Now(), kNoon - kHour);
  EXPECT_EQ(Run(2000), -kHour);
  EXPECT_FALSE(log_clock_.Synced());
  peers_ = {0, 0};
  EXPECT_EQ(Run(100), 0);
  EXPECT_TRUE(log_clock_.Synced());
}

TEST_F(LogClockTest, ALearnersClockDoesNotCount) {
  log_clock_.Start(kNoon, 3);
  log_clock_.SetVoters({1, 2, 3});
  peers_ = {0, 0, kHour, kHour};  // of 2 to 5
  EXPECT_EQ(Run(2000), 0);
  EXPECT_EQ(log_clock_.SkewMs(), 0);
  // Two of them are promoted, and two that agreed go: the new majority's time is the group's.
  log_clock_.SetVoters({1, 4, 5});
  EXPECT_EQ(Run(100), kHour);
}

TEST_F(LogClockTest, ASilentPeerIsForgotten) {
  log_clock_.Start(kNoon, 3);
  peers_ = {2000, 2000};
  Run(100);
  peers_.clear();
  int64_t ahead = Run(11'000);
  clock_.skew_ms = 5000;
  EXPECT_EQ(Run(1000), ahead);  // our own jump moves nothing without the others
}

TEST_F(LogClockTest, OneFastPeerMovesNothing) {
  log_clock_.Start(kNoon, 3);
  peers_ = {0, kHour};
  EXPECT_EQ(Run(60'000), 0);
  EXPECT_EQ(log_clock_.SkewMs(), kHour);
}

TEST_F(LogClockTest, AFastLeaderMovesNothing) {
  clock_.skew_ms = kHour;
  log_clock_.Start(kNoon, 3);
  peers_ = {0, 0};
  EXPECT_EQ(Run(60'000), 0);
}

TEST_F(LogClockTest, AFastLeaderThatKnowsOneOtherMovesNothing) {  // the third member is down
  clock_.skew_ms = kHour;
  log_clock_.Start(kNoon, 3);
  peers_ = {0};
  EXPECT_EQ(Run(60'000), 0);
}

TEST_F(LogClockTest, ASlowLeaderDoesNotFreezeTime) {
  clock_.skew_ms = -kHour;
  log_clock_.Start(kNoon, 3);
  peers_ = {0, 0};
  EXPECT_EQ(Run(60'000), 0);
}

TEST_F(LogClockTest, AMinorityOfFiveMovesNothing) {
  log_clock_.Start(kNoon, 5);
  peers_ = {0, 0, kHour, kHour};
  EXPECT_EQ(Run(10'000), 0);
  peers_ = {0, 0, -kHour, -kHour};
  EXPECT_EQ(Run(10'000), 0);
}

TEST_F(LogClockTest, RunsFreelyWhereTheMedianMayBe) {  // two of five are down
  log_clock_.Start(kNoon + 2000, 5);
  peers_ = {3000, 5000};
  EXPECT_EQ(Run(10'000), 2000);
  peers_ = {1000, 1500};  // three of five have not reached 2000
  EXPECT_EQ(Run(10'000), 1990);
}

TEST_F(LogClockTest, AMajorityStepsForward) {
  log_clock_.Start(kNoon, 3);
  peers_ = {5000, 7000};
  EXPECT_EQ(Run(100), 5000);
}

TEST_F(LogClockTest, ANewLeaderCatchesUpWithTheIdleTimeBefore) {
  log_clock_.Start(kNoon - 10 * 60'000, 3);
  peers_ = {0, 0};
  EXPECT_EQ(Run(100), 0);
}

TEST_F(LogClockTest, SlewsForwardByOnePerMille) {
  log_clock_.Start(kNoon - 500, 3);
  peers_ = {0, 0};
  EXPECT_EQ(Run(100'000), -400);
  EXPECT_EQ(Run(500'000), 0);
  EXPECT_EQ(Run(1000), 0);
}

TEST_F(LogClockTest, NeverStepsBackButRunsSlower) {
  log_clock_.Start(kNoon + 500, 3);
  peers_ = {0, 0};
  EXPECT_EQ(Run(100'000), 400);
  EXPECT_EQ(Run(500'000), 0);
  log_clock_.Start(kNoon + kHour, 3);  // an hour ahead: still only 1 per mille
  int64_t ahead = log_clock_.Now() - TrueNow();
  EXPECT_EQ(Run(10'000), ahead - 10);
}

TEST_F(LogClockTest, SlewsWhenAskedMoreOftenThanItCanRound) {
  log_clock_.Start(kNoon - 500, 1);
  for (int i = 0; i < 1'000'000; ++i) {
    clock_.mono_us = (clock_.mono_us + 100) % 1000;
    if (clock_.mono_us == 0) ++clock_.mono_ms;
    log_clock_.Now();
  }
  EXPECT_EQ(log_clock_.Now(), TrueNow() - 400);
}

TEST_F(LogClockTest, AJumpingOwnClockIsOutvoted) {
  log_clock_.Start(kNoon, 3);
  peers_ = {0, 0};
  Run(1000);
  for (int64_t skew : {kHour, -kHour, int64_t{0}, kHour}) {
    clock_.skew_ms = skew;
    EXPECT_EQ(Run(1000), 0);
  }
}

TEST_F(LogClockTest, NonsenseIsNotAClock) {
  log_clock_.Start(kNoon, 3);
  log_clock_.OnPeerClock(2, 0);
  log_clock_.OnPeerClock(2, -1);
  log_clock_.OnPeerClock(3, INT64_MAX);
  clock_.skew_ms = kHour;
  clock_.mono_ms += 1000;
  EXPECT_EQ(log_clock_.Now(), kNoon + 1000);
}

}  // namespace
}  // namespace kdb::kv

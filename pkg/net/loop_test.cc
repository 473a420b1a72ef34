#include "pkg/net/loop.h"

#include <gtest/gtest.h>

#include <memory>

#include "pkg/base/mutex.h"

namespace kdb::net {
namespace {

TEST(LoopTest, RunAndWaitWaitsForWhatTheTaskPosts) {
  Loop loop("test");
  for (int round = 0; round < 2'000; ++round) {
    int depth = 0;
    loop.RunAndWait([&] {
      loop.Post([&] {
        depth = 1;
        loop.Post([&] { depth = 2; });
      });
    });
    // What the task's task posts comes before what is posted now.
    loop.RunAndWait([&] { EXPECT_EQ(depth, 2) << round; });
  }
}

TEST(LoopTest, DropsWhatWaitsWhenItEnds) {
  auto held = std::make_shared<int>();
  {
    Loop loop("test");
    loop.PostAfter(std::chrono::hours(1), [held] { FAIL(); });
    loop.RunAndWait([&] {
      for (int i = 0; i < 10; ++i) loop.PostAfter(std::chrono::hours(1), [held] { FAIL(); });
    });
    EXPECT_EQ(held.use_count(), 12);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(LoopTest, PostAfterRunsOnce) {
  Loop loop("test");
  Mutex mu;
  CondVar ran;
  int runs = 0;
  loop.PostAfter(std::chrono::milliseconds(1), [&] {
    MutexLock lock(mu);
    ++runs;
    ran.NotifyAll();
  });
  MutexLock lock(mu);
  while (runs == 0) ran.Wait(mu);
  EXPECT_EQ(runs, 1);
}

TEST(LoopTest, IsAliveWhileItComesRound) {
  Loop loop("test");
  loop.RunAndWait([] {});
  EXPECT_TRUE(loop.Alive().ok());
}

}  // namespace
}  // namespace kdb::net

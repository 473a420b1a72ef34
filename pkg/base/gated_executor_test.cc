#include "pkg/base/gated_executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "pkg/testing/manual.h"

namespace kdb {
namespace {

TEST(GatedExecutor, NothingRunsAfterClose) {
  testing::ManualExecutor executor;
  int runs = 0;
  {
    GatedExecutor gated(executor);
    gated.Post([&] { ++runs; });
    executor.RunReady();
    gated.Post([&] { ++runs; });
    gated.PostAfter(std::chrono::seconds(1), [&] { ++runs; });
  }
  executor.RunReady();
  EXPECT_TRUE(executor.FireTimer());
  EXPECT_EQ(runs, 1);
}

TEST(GatedExecutor, CloseWaitsForTheRunningTask) {
  std::unique_ptr<Executor> executor = NewThreadExecutor("test");
  std::promise<void> entered;
  std::promise<void> proceed;
  std::atomic<bool> finished = false;
  GatedExecutor gated(*executor);
  gated.Post([&] {
    entered.set_value();
    proceed.get_future().wait();
    finished = true;
  });
  entered.get_future().wait();
  std::thread closer([&] {
    gated.Close();
    EXPECT_TRUE(finished);
  });
  proceed.set_value();
  closer.join();
}

}  // namespace
}  // namespace kdb

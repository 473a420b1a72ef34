#include "pkg/raftnode/disk_watch.h"

#include <gtest/gtest.h>

namespace kdb::raftnode {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class DiskWatchTest : public ::testing::Test {
 protected:
  DiskLevel At(double percent_used, uint64_t total = 1000 * kMiB) {
    const auto used = static_cast<uint64_t>(static_cast<double>(total) * percent_used / 100);
    changed_ = watch_.Update({.total_bytes = total, .available_bytes = total - used});
    return watch_.level();
  }

  DiskWatch watch_{DiskLimits()};
  bool changed_ = false;
};

TEST_F(DiskWatchTest, LevelsOnTheWayUp) {
  EXPECT_EQ(At(84.9), DiskLevel::kRoom);
  EXPECT_FALSE(changed_);
  EXPECT_EQ(At(85.1), DiskLevel::kWarn);
  EXPECT_TRUE(changed_);
  EXPECT_EQ(At(91.9), DiskLevel::kWarn);
  EXPECT_FALSE(changed_);
  EXPECT_EQ(At(92.1), DiskLevel::kFull);
  EXPECT_EQ(At(98.3), DiskLevel::kFull);
  EXPECT_EQ(At(98.5), DiskLevel::kReserve);  // under 16 MiB
}

TEST_F(DiskWatchTest, TheWayBackHasAMargin) {
  At(99);
  EXPECT_EQ(At(98.1), DiskLevel::kReserve);  // under 20 MiB
  EXPECT_EQ(At(97.9), DiskLevel::kFull);
  EXPECT_EQ(At(90.1), DiskLevel::kFull);
  EXPECT_EQ(At(89.9), DiskLevel::kWarn);
  EXPECT_EQ(At(91.9), DiskLevel::kWarn);
  EXPECT_EQ(At(83.1), DiskLevel::kWarn);
  EXPECT_EQ(At(82.9), DiskLevel::kRoom);
}

TEST_F(DiskWatchTest, ASmallDiskHasLittleReserve) {
  EXPECT_EQ(At(50, 30 * kMiB), DiskLevel::kReserve);
  EXPECT_EQ(At(30, 30 * kMiB), DiskLevel::kRoom);
}

TEST_F(DiskWatchTest, ADiskWithoutASizeIsNotFull) {
  DiskWatch watch({.warn_percent = 1, .full_percent = 1, .min_free_bytes = 0});
  EXPECT_FALSE(watch.Update({.total_bytes = 0, .available_bytes = 0}));
}

TEST_F(DiskWatchTest, Says) {
  At(92.5);
  EXPECT_EQ(watch_.Describe(), "92.5 % of the disk used, 75 MiB free");
}

}  // namespace
}  // namespace kdb::raftnode

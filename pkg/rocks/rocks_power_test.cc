// The engine on a file system that loses what was not synced.
#include <gtest/gtest.h>

#include "pkg/env/crash_file_system.h"
#include "pkg/rocks/rocks_engine.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb::rocks {
namespace {

class PowerTest : public ::testing::Test {
 protected:
  PowerTest() { Start({}); }

  void Start(const CrashOptions& options) {
    engine_ = nullptr;
    auto disk = CrashFileSystem::Create(*posix_, root_.path(), options);
    ASSERT_TRUE(disk.ok()) << disk.status();
    disk_ = *std::move(disk);
    Options small;
    small.memtable_bytes = 1 << 20;
    auto engine = OpenRocksEngine(*disk_, root_ / "db", small);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }
  // 0 when there is none.
  uint64_t Number() {
    std::string value;
    auto found = engine_->Get("number", &value);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && *found ? std::stoull(value) : 0;
  }
  void Write(uint64_t number, Random& random) {
    auto batch = engine_->NewBatch();
    batch->Put("number", std::to_string(number));
    const uint64_t bytes = random.OneIn(20) ? 50'000 : random.Uniform(2000);
    batch->Put("k" + std::to_string(number), std::string(bytes, 'x'));
    ASSERT_TRUE(engine_->Write(*batch).ok());
  }

  testing::TemporaryDirectory root_;
  std::unique_ptr<FileSystem> posix_ = NewPosixFileSystem();
  std::unique_ptr<CrashFileSystem> disk_;
  std::unique_ptr<storage::Engine> engine_;
};

TEST_F(PowerTest, WhatWasFlushedSurvivesAndWritesBeforeItToo) {
  uint64_t last = 0, flushed = 0;
  Random random(1);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    for (uint64_t n = random.Uniform(400); n-- > 0;) {
      Write(++last, random);
      if (random.OneIn(100)) {
        ASSERT_TRUE(engine_->Flush().ok());
        flushed = last;
      }
    }
    ASSERT_TRUE(disk_->PowerOff(random.OneIn(2) ? &random : nullptr).ok());
    Start({});
    if (HasFatalFailure()) return;
    const uint64_t number = Number();
    EXPECT_GE(number, flushed);
    EXPECT_LE(number, last);
    for (uint64_t i = 1; i <= last; ++i) {
      std::string value;
      EXPECT_EQ(engine_->Get("k" + std::to_string(i), &value).value(), i <= number) << i;
    }
    last = flushed = number;
  }
}

TEST_F(PowerTest, ACheckpointIsDurableWhenItReturns) {
  Random random(2);
  Write(1, random);
  ASSERT_TRUE(engine_->Checkpoint(root_ / "copy").ok());
  ASSERT_TRUE(disk_->PowerOff(nullptr).ok());
  Start({});
  engine_ = nullptr;
  auto copy = OpenRocksEngine(*disk_, root_ / "copy", Options());
  ASSERT_TRUE(copy.ok()) << copy.status();
  std::string value;
  EXPECT_TRUE((*copy)->Get("number", &value).value());
}

// The test above would notice an engine that does not sync.
TEST_F(PowerTest, WithoutSyncsWhatWasFlushedIsLost) {
  Start({.lose_syncs = true});
  Random random(3);
  Write(1, random);
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_TRUE(disk_->PowerOff(nullptr).ok());
  engine_ = nullptr;
  auto disk = CrashFileSystem::Create(*posix_, root_.path(), {});
  ASSERT_TRUE(disk.ok());
  auto engine = OpenRocksEngine(**disk, root_ / "db", Options());
  std::string value;
  EXPECT_TRUE(!engine.ok() || !(*engine)->Get("number", &value).value());
  engine = absl::CancelledError();  // before the file system that it uses
  disk_ = *std::move(disk);
}

}  // namespace
}  // namespace kdb::rocks

// Copies that others fetch.
#include "pkg/snapshot/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"
#include "pkg/testing/manual.h"

namespace kdb::snapshot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class CheckpointsTest : public ::testing::Test {
 protected:
  CheckpointsTest() { Open(); }
  void Open() {
    copies_ = nullptr;
    auto opened = Checkpoints::Open(
        fs_, clock_, {.dir = "/c", .cluster_id = "cluster", .gid = 3},
        [this](const std::string& dir) { return Make(dir); }, Random(1));
    ASSERT_TRUE(opened.ok()) << opened.status();
    copies_ = *std::move(opened);
  }
  absl::StatusOr<raftpb::SnapshotMeta> Make(const std::string& dir) {
    ++made_;
    if (absl::Status s = fs_.CreateDir(dir); !s.ok()) return s;
    for (const char* name : {"a", "b"}) {
      if (absl::Status s =
              WriteFileDurably(fs_, dir + "/" + name, "content of " + std::string(name));
          !s.ok()) {
        return s;
      }
    }
    raftpb::SnapshotMeta meta;
    meta.set_index(applied_);
    meta.set_term(1);
    return meta;
  }
  size_t CopiesOnDisk() { return fs_.List("/c")->size(); }

  MemoryFileSystem fs_;
  testing::ManualClock clock_;
  uint64_t applied_ = 10;
  int made_ = 0;
  std::unique_ptr<Checkpoints> copies_;
};

TEST_F(CheckpointsTest, ACopyIsReadInPieces) {
  auto manifest = copies_->Acquire(5);
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->cluster_id(), "cluster");
  EXPECT_EQ(manifest->gid(), 3u);
  EXPECT_EQ(manifest->meta().index(), 10u);
  ASSERT_THAT(manifest->files(), SizeIs(2));
  EXPECT_EQ(manifest->files(1).name(), "b");
  EXPECT_EQ(manifest->files(1).bytes(), 12u);
  EXPECT_EQ(*copies_->Read(manifest->id(), 1, 0, 7), "content");
  EXPECT_EQ(*copies_->Read(manifest->id(), 1, 7, 100), " of b");
  EXPECT_EQ(*copies_->Read(manifest->id(), 1, 12, 100), "");
  EXPECT_TRUE(absl::IsInvalidArgument(copies_->Read(manifest->id(), 1, 13, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(copies_->Read(manifest->id(), 2, 0, 1).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(copies_->Read(manifest->id(), -1, 0, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(copies_->Read("other", 0, 0, 1).status()));
}

TEST_F(CheckpointsTest, OneCopyServesAllWhoItIsNewEnoughFor) {
  std::string first = copies_->Acquire(1)->id();
  applied_ = 20;
  EXPECT_EQ(copies_->Acquire(10)->id(), first);
  EXPECT_EQ(made_, 1);
  EXPECT_NE(copies_->Acquire(11)->id(), first);
  EXPECT_EQ(copies_->Acquire(1)->meta().index(), 20u);
  EXPECT_EQ(made_, 2);
  EXPECT_EQ(copies_->oldest_index(), 10u);
}

TEST_F(CheckpointsTest, AStateThatIsBehindSaysSo) {
  auto manifest = copies_->Acquire(11);
  EXPECT_TRUE(absl::IsUnavailable(manifest.status()));
  EXPECT_THAT(std::string(manifest.status().message()), HasSubstr("has applied 10"));
}

TEST_F(CheckpointsTest, ACopyStaysWhileItIsUsed) {
  std::string id = copies_->Acquire(1)->id();
  for (int i = 0; i < 5; ++i) {
    clock_.now += std::chrono::seconds(59);
    ASSERT_TRUE(copies_->Read(id, 0, 0, 1).ok());
    copies_->Expire();
  }
  EXPECT_EQ(copies_->oldest_index(), 10u);
  clock_.now += std::chrono::seconds(60);
  copies_->Expire();
  EXPECT_TRUE(absl::IsNotFound(copies_->Read(id, 0, 0, 1).status()));
  EXPECT_EQ(copies_->oldest_index(), 0u);
  EXPECT_EQ(CopiesOnDisk(), 0u);
}

TEST_F(CheckpointsTest, AFailureLeavesNothing) {
  fs_.faults().Fail(FsOp::kWrite, "/b", 0, absl::ResourceExhaustedError("full"), 1);
  EXPECT_TRUE(absl::IsResourceExhausted(copies_->Acquire(1).status()));
  EXPECT_EQ(CopiesOnDisk(), 0u);
  EXPECT_TRUE(copies_->Acquire(1).ok());
}

TEST_F(CheckpointsTest, AShorterFileIsNoticed) {
  std::string id = copies_->Acquire(1)->id();
  ASSERT_TRUE(WriteFileDurably(fs_, "/c/" + id + "/a", "cont").ok());
  EXPECT_TRUE(absl::IsDataLoss(copies_->Read(id, 0, 0, 100).status()));
}

TEST_F(CheckpointsTest, ARestartBeginsWithoutCopies) {
  std::string id = copies_->Acquire(1)->id();
  EXPECT_EQ(CopiesOnDisk(), 1u);
  fs_.faults().StopAfter(0);
  copies_ = nullptr;  // as killed: nothing is removed
  fs_.faults().Clear();
  EXPECT_EQ(CopiesOnDisk(), 1u);
  Open();
  EXPECT_EQ(CopiesOnDisk(), 0u);
  EXPECT_TRUE(absl::IsNotFound(copies_->Read(id, 0, 0, 1).status()));
}

}  // namespace
}  // namespace kdb::snapshot

// The serving side on its executor: order, pace, what it holds of the log.
#include "pkg/snapshot/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"
#include "pkg/testing/manual.h"

namespace kdb::snapshot {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SourceTest : public ::testing::Test {
 protected:
  void Open(uint64_t bytes_per_second) {
    source_ = std::make_unique<Source>(
        fs_, clock_, executor_,
        SourceOptions{.checkpoints = {.dir = "/copies", .cluster_id = "c", .gid = 1},
                      .bytes_per_second = bytes_per_second},
        [this](const std::string& dir) { return Make(dir); }, Random(1),
        [this](uint64_t index) { holds_.push_back(index); }, metrics_);
    executor_.RunReady();
  }
  absl::StatusOr<raftpb::SnapshotMeta> Make(const std::string& dir) {
    holds_before_copy_ = holds_;
    EXPECT_TRUE(fs_.CreateDir(dir).ok());
    EXPECT_TRUE(WriteFileDurably(fs_, dir + "/a", std::string(3000, 'a')).ok());
    raftpb::SnapshotMeta meta;
    meta.set_index(50);
    meta.set_term(4);
    return meta;
  }
  void AskOpen(uint64_t min_index = 1) {
    raftpb::SnapshotRequest request;
    request.mutable_open()->set_min_index(min_index);
    Ask(request);
  }
  void AskPart(uint64_t offset, uint32_t bytes) {
    raftpb::SnapshotRequest request;
    request.mutable_part()->set_id(id_);
    request.mutable_part()->set_offset(offset);
    request.mutable_part()->set_bytes(bytes);
    Ask(request);
  }
  void Ask(const raftpb::SnapshotRequest& request) {
    source_->Ask(request, [this](const absl::StatusOr<raftpb::SnapshotReply>& reply) {
      if (!reply.ok()) return answers_.push_back(reply.status().ToString());
      if (reply->has_manifest()) {
        id_ = reply->manifest().id();
        return answers_.push_back("manifest " + std::to_string(reply->manifest().meta().index()));
      }
      answers_.push_back(std::to_string(reply->data().part().offset()) + "+" +
                         std::to_string(reply->data().content().size()));
    });
  }
  std::vector<std::string> Answers() {
    executor_.RunReady();
    return std::exchange(answers_, {});
  }
  // Until the next timer goes off.
  std::vector<std::string> After(std::chrono::milliseconds time) {
    clock_.now += time;
    executor_.FireTimer();
    return std::exchange(answers_, {});
  }

  MemoryFileSystem fs_;
  testing::ManualClock clock_;
  testing::ManualExecutor executor_;
  obs::Registry metrics_;
  std::vector<uint64_t> holds_, holds_before_copy_;
  std::vector<std::string> answers_;
  std::string id_;
  std::unique_ptr<Source> source_;
};

TEST_F(SourceTest, AnswersInOrder) {
  Open(0);
  AskOpen();
  EXPECT_THAT(Answers(), ElementsAre("manifest 50"));
  AskPart(0, 1000);
  AskPart(1000, 1000);
  AskPart(2000, 5000);
  EXPECT_THAT(Answers(), ElementsAre("0+1000", "1000+1000", "2000+1000"));
}

TEST_F(SourceTest, SendsNoFasterThanAllowed) {
  Open(10'000);
  AskOpen();
  EXPECT_THAT(Answers(), ElementsAre("manifest 50"));
  clock_.now += std::chrono::hours(1);  // what was not sent meanwhile is not made up for
  for (int i = 0; i < 3; ++i) AskPart(i * 1000, 1000);
  EXPECT_THAT(Answers(), ElementsAre("0+1000"));
  EXPECT_THAT(After(std::chrono::milliseconds(80)), IsEmpty());
  EXPECT_THAT(After(std::chrono::milliseconds(20)), ElementsAre("1000+1000"));
  EXPECT_THAT(After(std::chrono::milliseconds(100)), ElementsAre("2000+1000"));
}

TEST_F(SourceTest, HoldsTheLogFromBeforeTheCopyUntilItIsGone) {
  Open(0);
  AskOpen();
  Answers();
  EXPECT_THAT(holds_before_copy_, ElementsAre(1));
  EXPECT_THAT(holds_, ElementsAre(1, 50));
  AskOpen();
  EXPECT_THAT(Answers(), ElementsAre("manifest 50"));
  EXPECT_THAT(holds_, ElementsAre(1, 50));
  After(std::chrono::seconds(60));
  EXPECT_THAT(holds_, ElementsAre(1, 50, 0));
  EXPECT_THAT(*fs_.List("/copies"), IsEmpty());
}

TEST_F(SourceTest, AnErrorIsTheAnswer) {
  Open(0);
  AskOpen(51);
  AskPart(0, 1);
  auto answers = Answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].starts_with("UNAVAILABLE")) << answers[0];
  EXPECT_TRUE(answers[1].starts_with("NOT_FOUND")) << answers[1];
  AskPart(0, Source::kMaxPartBytes + 1);
  EXPECT_TRUE(Answers().at(0).starts_with("INVALID_ARGUMENT"));
}

TEST_F(SourceTest, CopiesOfAFormerLifeGoAtOnce) {
  Open(0);
  AskOpen();
  Answers();
  fs_.faults().StopAfter(0);
  source_ = nullptr;  // as killed: nothing is removed
  fs_.faults().Clear();
  EXPECT_EQ(fs_.List("/copies")->size(), 1u);
  Open(0);
  EXPECT_THAT(*fs_.List("/copies"), IsEmpty());
}

}  // namespace
}  // namespace kdb::snapshot

// The fetching side over connections that break, against another member's source.
#include "pkg/snapshot/fetcher.h"

#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"
#include "pkg/snapshot/source.h"
#include "pkg/testing/manual.h"

namespace kdb::snapshot {
namespace {

class FetcherTest : public ::testing::Test {
 protected:
  FetcherTest() {
    EXPECT_TRUE(CreateDirs(ours_, paths_.dir).ok());
    source_ = std::make_unique<Source>(
        theirs_, clock_, executor_,
        SourceOptions{.checkpoints = {.dir = "/copies", .cluster_id = "c", .gid = 1},
                      .bytes_per_second = 0},
        [this](const std::string& dir) { return Make(dir); }, Random(1), [](uint64_t) {}, metrics_);
    Open();
  }
  void Open() {
    fetcher_ = std::make_unique<Fetcher>(
        ours_, clock_, executor_,
        FetcherOptions{.receiver = {.paths = paths_,
                                    .cluster_id = "c",
                                    .gid = 1,
                                    .part_bytes = 100,
                                    .window = 3,
                                    .verify = [](const std::string&,
                                                 const Manifest&) { return absl::OkStatus(); }}},
        [this](LinkHandler& handler) { return Connect(handler); }, [this] { ++fetched_; },
        obs::NullLogger(), metrics_);
  }
  absl::StatusOr<raftpb::SnapshotMeta> Make(const std::string& dir) {
    EXPECT_TRUE(theirs_.CreateDir(dir).ok());
    for (const char* name : {"/a", "/b", "/c", "/d"}) {
      EXPECT_TRUE(WriteFileDurably(theirs_, dir + name, std::string(230, 'a')).ok());
    }
    raftpb::SnapshotMeta meta;
    meta.set_index(50);
    meta.set_term(4);
    return meta;
  }

  // Breaks after so many answers.
  class TestLink final : public Link {
   public:
    TestLink(FetcherTest& test, LinkHandler& handler) : test_(test), handler_(handler) {
      ++test_.links_;
    }
    ~TestLink() override {
      *alive_ = false;
      --test_.links_;
    }
    void Ask(const raftpb::SnapshotRequest& request) override {
      if (test_.mute_) return;
      test_.source_->Ask(request, [this, alive = alive_](const auto& reply) {
        if (!*alive) return;
        if (!reply.ok()) return handler_.OnBroken(reply.status());
        if (test_.answers_ == 0) return handler_.OnBroken(absl::UnavailableError("broken"));
        --test_.answers_;
        handler_.OnReply(*reply);
      });
    }

   private:
    FetcherTest& test_;
    LinkHandler& handler_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  };
  std::unique_ptr<Link> Connect(LinkHandler& handler) {
    ++connects_;
    return nobody_ ? nullptr : std::make_unique<TestLink>(*this, handler);
  }
  void Run() { executor_.RunReady(); }
  void Pass(std::chrono::milliseconds time) {
    clock_.now += time;
    ASSERT_TRUE(executor_.FireTimer());
  }
  bool IntentIsThere() { return *ours_.Exists(paths_.intent()); }

  const Paths paths_{.dir = "/m", .state = "/m/db", .log = "/m/log"};
  MemoryFileSystem theirs_, ours_;
  testing::ManualClock clock_;
  testing::ManualExecutor executor_;
  obs::Registry metrics_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<Fetcher> fetcher_;
  int links_ = 0;  // open
  int connects_ = 0;
  int answers_ = 1'000'000;  // until a link breaks
  bool mute_ = false;
  bool nobody_ = false;
  int fetched_ = 0;
};

TEST_F(FetcherTest, FetchesOnceWhatIsWanted) {
  Run();
  EXPECT_EQ(connects_, 0);
  fetcher_->Want(40);
  fetcher_->Want(40);
  Run();
  EXPECT_EQ(fetched_, 1);
  EXPECT_EQ(connects_, 1);
  EXPECT_EQ(links_, 0);
  EXPECT_TRUE(IntentIsThere());
  fetcher_->Want(60);  // until the member is started again
  Run();
  EXPECT_EQ(connects_, 1);
}

TEST_F(FetcherTest, GoesOnWhereABrokenLinkEnded) {
  fetcher_->Want(40);
  for (int i = 0; fetched_ == 0; ++i) {
    ASSERT_LT(i, 10);
    answers_ = 1 + i;  // the first is the manifest
    Run();
    if (fetched_ == 0) Pass(std::chrono::milliseconds(100));
  }
  EXPECT_GT(connects_, 2);
  EXPECT_TRUE(IntentIsThere());
}

TEST_F(FetcherTest, WaitsLongerFromFailureToFailure) {
  nobody_ = true;
  fetcher_->Want(40);
  Run();
  for (int ms : {100, 200, 400}) {
    const int before = connects_;
    EXPECT_EQ(executor_.next_timer(), std::chrono::milliseconds(ms));
    Pass(std::chrono::milliseconds(ms));
    EXPECT_EQ(connects_, before + 1);
  }
  nobody_ = false;
  Pass(std::chrono::milliseconds(800));
  EXPECT_EQ(fetched_, 1);
}

TEST_F(FetcherTest, LeavesALinkThatSaysNothing) {
  mute_ = true;
  fetcher_->Want(40);
  Run();
  EXPECT_EQ(links_, 1);
  Pass(std::chrono::seconds(10));
  EXPECT_EQ(links_, 0);
  mute_ = false;
  Pass(std::chrono::milliseconds(100));
  EXPECT_EQ(fetched_, 1);
}

TEST_F(FetcherTest, WhatIsNotWantedAnyMoreIsDropped) {
  answers_ = 3;
  fetcher_->Want(40);
  Run();
  EXPECT_TRUE(*ours_.Exists(paths_.incoming()));
  fetcher_->Want(std::nullopt);
  Run();
  EXPECT_FALSE(*ours_.Exists(paths_.incoming()));
  Pass(std::chrono::milliseconds(100));  // the retry that was due
  EXPECT_EQ(connects_, 1);
}

TEST_F(FetcherTest, WhatAFormerLifeBeganIsDroppedWhenItIsNotWanted) {
  answers_ = 3;
  fetcher_->Want(40);
  Run();
  fetcher_ = nullptr;
  Open();
  EXPECT_TRUE(*ours_.Exists(paths_.incoming()));
  while (*ours_.Exists(paths_.incoming())) {
    ASSERT_LT(clock_.now, std::chrono::minutes(5));
    Pass(executor_.next_timer());
  }
}

}  // namespace
}  // namespace kdb::snapshot

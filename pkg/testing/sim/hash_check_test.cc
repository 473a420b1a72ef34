// The hash check among three replicas that share a log: who is found to differ, and who is not.
#include "pkg/server/hash_check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "pkg/base/damage.h"
#include "pkg/storage/memory_engine.h"
#include "pkg/testing/fake_clock.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr milliseconds kEvery{10'000};

// A moment of an engine that cannot be read.
class RottenSnapshot final : public storage::Reader {
 public:
  absl::StatusOr<bool> Get(std::string_view, std::string*) const override { return status_; }
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view,
                                                 std::string_view) const override {
    return std::make_unique<Nothing>(status_);
  }

 private:
  class Nothing final : public storage::Iterator {
   public:
    explicit Nothing(absl::Status status) : status_(std::move(status)) {}
    bool Valid() const override { return false; }
    void SeekToFirst() override {}
    void SeekToLast() override {}
    void Seek(std::string_view) override {}
    void SeekForPrev(std::string_view) override {}
    void Next() override {}
    void Prev() override {}
    std::string_view key() const override { return {}; }
    std::string_view value() const override { return {}; }
    absl::Status status() const override { return status_; }

   private:
    const absl::Status status_;
  };
  const absl::Status status_ = DamageError("block checksum mismatch");
};

class HashCheckTest : public ::testing::Test {
 protected:
  struct Node {
    std::unique_ptr<storage::Engine> engine = storage::NewMemoryEngine();
    std::unique_ptr<testing::SimExecutor> executor;
    obs::Registry metrics;
    absl::Status damage;
    bool reachable = true;
    bool rotten = false;
    std::unique_ptr<HashCheck> check;
  };

  HashCheckTest() : nodes_(4) {
    for (raft::NodeId id : kMembers) {
      nodes_[id].executor = loop_.NewExecutor("background");
      Start(id);
      for (int i = 0; i < 1000; ++i) Put(id, fmt::format("key{}", i), std::string(1000, 'v'));
    }
    status_.id = 1;
    status_.conf.voters = {1, 2, 3};
  }

  void Start(raft::NodeId id) {
    Node& node = nodes_[id];
    auto propose = [this](kv::EntryKind kind, const std::string& body,
                          const std::function<void(bool)>& done) {
      loop_.After(milliseconds(1), [this, kind, body, done] {
        Log(kind, body);
        done(true);
      });
    };
    node.check = std::make_unique<HashCheck>(
        HashCheckOptions{.every = kEvery, .bytes_per_second = rate_}, *node.executor, clock_,
        obs::NullLogger(), node.metrics,
        HashCheck::Links{.propose = propose, .on_damage = [&node](const absl::Status& why) {
                           node.damage.Update(why);
                         }});
  }

  void Put(raft::NodeId id, const std::string& key, const std::string& value) {
    auto batch = nodes_[id].engine->NewBatch();
    batch->Put(key, value);
    ASSERT_TRUE(nodes_[id].engine->Write(*batch).ok());
  }

  // All apply it, and go on to change their state.
  void Log(kv::EntryKind kind, const std::string& body) {
    ++index_;
    if (kind == kv::EntryKind::kHashVerdict) ++verdicts_;
    for (raft::NodeId id : kMembers) {
      Node& node = nodes_[id];
      if (kind == kv::EntryKind::kHashVerdict) {
        node.check->OnHashVerdict(*kv::DecodeStateHash(body));
      } else if (node.rotten) {
        node.check->OnHashPoint(index_, std::make_unique<RottenSnapshot>());
      } else {
        node.check->OnHashPoint(index_, node.engine->NewSnapshot());
      }
      Put(id, "later", std::to_string(id));  // behind the point they may differ
    }
  }

  void RunFor(std::chrono::nanoseconds span) {
    for (std::chrono::nanoseconds end = loop_.Now() + span; loop_.Now() < end;) {
      loop_.RunFor(milliseconds(100));
      for (raft::NodeId id : kMembers) {
        const raft::StateHash newest = nodes_[id].check->Newest();
        if (id == status_.id || !nodes_[id].reachable || newest.index == 0) continue;
        nodes_[status_.id].check->OnPeerHash(id, newest);
      }
      nodes_[status_.id].check->Lead(status_);
      for (raft::NodeId id : kMembers) Put(id, "later", "");
    }
  }

  std::vector<raft::NodeId> Damaged() {
    std::vector<raft::NodeId> damaged;
    for (raft::NodeId id : kMembers) {
      if (!nodes_[id].damage.ok()) damaged.push_back(id);
    }
    return damaged;
  }
  double Count(raft::NodeId id, const std::string& name) {
    return nodes_[id].metrics.AddCounter(name, "").Value();
  }

  static constexpr raft::NodeId kMembers[] = {1, 2, 3};
  testing::SimLoop loop_{1};
  testing::FakeClock clock_{loop_, 0};
  uint64_t rate_ = 0;
  std::vector<Node> nodes_;  // by id
  raft::Index index_ = 7;
  int verdicts_ = 0;
  raft::RaftStatus status_;
};

TEST_F(HashCheckTest, ReplicasThatAgreeAreFoundToAgainAndAgain) {
  RunFor(kEvery * 3 + seconds(3));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>());
  EXPECT_EQ(verdicts_, 3);
  for (raft::NodeId id : kMembers) EXPECT_EQ(Count(id, "kdb_hash_checks_total"), 3) << id;
}

TEST_F(HashCheckTest, OneChangedValueOfAFollowerIsFound) {
  Put(3, "key500", std::string(999, 'v') + "w");
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{3});
  EXPECT_TRUE(IsDamage(nodes_[3].damage)) << nodes_[3].damage;
  EXPECT_THAT(nodes_[3].damage.ToString(), HasSubstr("hash check: as of log entry 8"));
}

TEST_F(HashCheckTest, ALostKeyOfTheLeaderIsFoundAndTheOthersAreRight) {
  auto batch = nodes_[1].engine->NewBatch();
  batch->Delete("key999");
  ASSERT_TRUE(nodes_[1].engine->Write(*batch).ok());
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{1});
}

TEST_F(HashCheckTest, WithoutAQuorumThatAgreesNobodyIsJudged) {
  for (raft::NodeId id : kMembers) Put(id, "key1", std::to_string(id));
  RunFor(kEvery * 2 + seconds(3));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>());
  EXPECT_EQ(verdicts_, 0);
  EXPECT_EQ(Count(1, "kdb_hash_checks_undecided_total"), 2);
}

TEST_F(HashCheckTest, TwoOfThreeAreEnoughAndNotOneOfTwo) {
  nodes_[2].reachable = false;
  Put(3, "key1", "other");
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(verdicts_, 0) << "which of the two is right is not known";
  nodes_[2].reachable = true;
  RunFor(seconds(1));
  EXPECT_EQ(verdicts_, 1);
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{3});
}

TEST_F(HashCheckTest, ASlowReplicaIsJudgedWhenItIsDone) {
  Put(3, "key1", "other");
  nodes_[3].executor->Pause();
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(verdicts_, 1);
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>());
  nodes_[3].executor->Resume();
  RunFor(seconds(1));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{3});
}

TEST_F(HashCheckTest, WhatItCannotReadIsDamage) {
  nodes_[2].rotten = true;
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{2});
  EXPECT_THAT(nodes_[2].damage.ToString(), HasSubstr("hashing the state: block checksum mismatch"));
}

TEST_F(HashCheckTest, ALearnerIsJudgedAndDoesNotVote) {
  status_.conf.voters = {1, 2};
  status_.conf.learners = {3};
  Put(3, "key1", "other");
  Put(2, "key1", "other");
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(verdicts_, 0);
  Put(2, "key1", std::string(1000, 'v'));
  RunFor(kEvery + seconds(1));
  EXPECT_EQ(Damaged(), std::vector<raft::NodeId>{3});
}

TEST_F(HashCheckTest, ItReadsNoFasterThanItMay) {
  rate_ = 1 << 20;
  for (raft::NodeId id : kMembers) {
    Start(id);
    for (int i = 0; i < 5; ++i) Put(id, fmt::format("more{}", i), std::string(1 << 20, 'v'));
  }
  RunFor(kEvery + seconds(4));
  EXPECT_EQ(verdicts_, 0);
  RunFor(seconds(4));
  EXPECT_EQ(verdicts_, 1);
}

TEST_F(HashCheckTest, ItCanBeSwitchedOff) {
  for (raft::NodeId id : kMembers) Start(id);
  nodes_[1].check = std::make_unique<HashCheck>(
      HashCheckOptions{.every = milliseconds(0)}, *nodes_[1].executor, clock_, obs::NullLogger(),
      nodes_[1].metrics,
      HashCheck::Links{.propose = [](auto, auto, auto) { FAIL(); }, .on_damage = nullptr});
  RunFor(kEvery * 3);
  EXPECT_EQ(index_, 7u);
}

}  // namespace
}  // namespace kdb::server

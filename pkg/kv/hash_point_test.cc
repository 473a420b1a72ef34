// What the log says of the group's hash check, as a listener hears it.
#include <gtest/gtest.h>

#include <map>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

class RecordingListener final : public HashListener {
 public:
  void OnHashPoint(raft::Index index, std::unique_ptr<storage::Snapshot> snapshot) override {
    digests[index] = *StateDigest(*snapshot);
  }
  void OnHashVerdict(const raft::StateHash& heard) override { verdict = heard; }

  std::map<raft::Index, uint64_t> digests;
  raft::StateHash verdict;
};

class HashPointTest : public ReplicaTest {
 protected:
  HashPointTest() { replica_.state().SetHashListener(&listener_); }

  RecordingListener listener_;
};

TEST_F(HashPointTest, IsTheSameMomentOnEveryReplica) {
  Run("SET k v");
  const uint64_t point = log_.Add(EntryKind::kHashCheck);
  log_.Batch({.session = session_, .seq = ++seq_}, {CommandOp("SET k w")});
  Apply();
  Replica other;
  RecordingListener heard;
  other.state().SetHashListener(&heard);
  other.CatchUp(log_.log(), 1);
  ASSERT_EQ(heard.digests.size(), 1u);
  EXPECT_EQ(heard.digests, listener_.digests);
  // And not that of the end.
  ASSERT_TRUE(heard.digests.contains(point));
  EXPECT_NE(heard.digests[point], other.Digest());
}

TEST_F(HashPointTest, AChangedRecordChangesTheDigest) {
  Run("SET k v");
  log_.Add(EntryKind::kHashCheck);
  Apply();
  auto batch = replica_.engine().NewBatch();
  batch->Put("stray", "record");
  ASSERT_TRUE(replica_.engine().Write(*batch).ok());
  log_.Add(EntryKind::kHashCheck);
  Apply();
  Replica other;
  RecordingListener heard;
  other.state().SetHashListener(&heard);
  other.CatchUp(log_.log());
  EXPECT_EQ(heard.digests.begin()->second, listener_.digests.begin()->second);
  EXPECT_NE(heard.digests.rbegin()->second, listener_.digests.rbegin()->second);
}

TEST_F(HashPointTest, OfAFullDiskComesWhenThereIsRoom) {
  Run("SET k v");
  log_.Add(EntryKind::kHashCheck);
  replica_.engine().full = true;
  std::vector<Payload> results;
  const auto entry = std::span(log_.log()).last(1);
  EXPECT_FALSE(ApplyAndCommit(replica_.state(), entry, &results).ok());
  EXPECT_TRUE(listener_.digests.empty());
  replica_.engine().full = false;
  EXPECT_TRUE(ApplyAndCommit(replica_.state(), entry, &results).ok());
  EXPECT_EQ(listener_.digests.size(), 1u);
}

TEST_F(HashPointTest, AVerdictIsHeardAndChangesNothing) {
  Run("SET k v");
  const raft::StateHash verdict{.index = 3, .digest = 99};
  log_.Add(EntryKind::kHashVerdict, EncodeStateHash(verdict));
  Apply();
  EXPECT_EQ(listener_.verdict, verdict);
  EXPECT_EQ(Run("GET k"), "$1\r\nv\r\n");
  log_.Add(EntryKind::kHashVerdict, "nonsense");
  Apply();
  EXPECT_EQ(listener_.verdict, verdict);
}

TEST_F(HashPointTest, StepsComeToTheSameDigest) {
  for (int i = 0; i < 50; ++i) Run("SET key" + std::to_string(i) + " " + std::string(i * 7, 'v'));
  const uint64_t whole = *StateDigest(replica_.engine());
  for (size_t bytes : {0, 1, 100, 5000, 1 << 20}) {
    StateHasher hasher;
    int steps = 1;
    while (hasher.Step(replica_.engine(), bytes).ok() && !hasher.done()) ++steps;
    EXPECT_EQ(hasher.digest(), whole) << bytes;
    EXPECT_EQ(steps > 1, bytes < (1 << 20)) << bytes;
  }
}

}  // namespace
}  // namespace kdb::kv

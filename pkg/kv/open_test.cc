// What a replica accepts as its own state.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/kv/replica_fixture.h"
#include "pkg/kv/system_records.h"
#include "pkg/storage/system_record.h"

namespace kdb::kv {
namespace {

class OpenTest : public ReplicaTest {
 protected:
  void SetUp() override { Run("SET k v"); }

  absl::Status Open(const catalog::BirthCertificate& birth) {
    obs::Registry metrics;
    return ShardState::Open({}, birth, replica_.engine(), metrics).status();
  }
  void Put(std::string_view key, std::string_view value) {
    auto batch = replica_.engine().NewBatch();
    batch->Put(key, value);
    ASSERT_TRUE(replica_.engine().Write(*batch).ok());
  }
  void Delete(std::string_view key) {
    auto batch = replica_.engine().NewBatch();
    batch->Delete(key);
    ASSERT_TRUE(replica_.engine().Write(*batch).ok());
  }
};

TEST_F(OpenTest, ItsOwn) { EXPECT_TRUE(Open(TestBirth()).ok()); }

TEST_F(OpenTest, AnotherGroupsOrClusters) {
  catalog::BirthCertificate birth = TestBirth();
  birth.set_gid(8);
  EXPECT_TRUE(absl::IsDataLoss(Open(birth)));
  birth = TestBirth();
  birth.set_cluster_id("other");
  EXPECT_TRUE(absl::IsDataLoss(Open(birth)));
  birth = TestBirth();
  birth.set_hash_seed(1, 23);
  EXPECT_TRUE(absl::IsDataLoss(Open(birth)));
}

TEST_F(OpenTest, NotAShardsCertificate) {
  catalog::BirthCertificate birth = TestBirth();
  birth.set_gid(0);
  EXPECT_TRUE(absl::IsDataLoss(Open(birth)));
  birth = TestBirth();
  birth.add_hash_seed(3);
  EXPECT_TRUE(absl::IsDataLoss(Open(birth)));
}

TEST_F(OpenTest, WithoutItsGroupRecord) {
  Delete(GroupKey());
  EXPECT_TRUE(absl::IsDataLoss(Open(TestBirth())));
}

TEST_F(OpenTest, ForeignRecordsInAnEngineThatAppliedNothing) {
  FullDiskEngine engine;
  auto batch = engine.NewBatch();
  batch->Put("something", "else");
  ASSERT_TRUE(engine.Write(*batch).ok());
  obs::Registry metrics;
  EXPECT_TRUE(absl::IsDataLoss(ShardState::Open({}, TestBirth(), engine, metrics).status()));
}

TEST_F(OpenTest, DamagedRecords) {
  for (const std::string& key :
       {GroupKey(), SlotKey(3), SessionKey(session_), std::string(storage::SystemRecordKey())}) {
    std::string before;
    ASSERT_TRUE(replica_.engine().Get(key, &before).ok());
    Put(key, "damaged");
    EXPECT_TRUE(absl::IsDataLoss(Open(TestBirth())));
    Put(key, before);
    EXPECT_TRUE(Open(TestBirth()).ok());
  }
}

TEST_F(OpenTest, RepliesThatDoNotBelongToTheirSession) {
  for (const std::string& key :
       {ReplyKey(session_, seq_ + 1), ReplyKey(session_ + 1, 1), ReplyKey(0, 0)}) {
    Put(key, "reply");
    EXPECT_TRUE(absl::IsDataLoss(Open(TestBirth())));
    Delete(key);
  }
}

TEST_F(OpenTest, ANewerApplyLevel) {
  auto system = storage::ReadSystemRecord(replica_.engine());
  ASSERT_TRUE(system.ok());
  system->apply_level = 99;
  Put(storage::SystemRecordKey(), storage::EncodeSystemRecord(*system));
  EXPECT_TRUE(absl::IsFailedPrecondition(Open(TestBirth())));
}

}  // namespace
}  // namespace kdb::kv

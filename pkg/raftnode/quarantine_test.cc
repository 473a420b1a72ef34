#include "pkg/raftnode/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/base/damage.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/raftnode/data_directory.h"

namespace kdb::raftnode {
namespace {

using ::testing::HasSubstr;

class QuarantineTest : public ::testing::Test {
 protected:
  std::unique_ptr<DataDirectory> Open() {
    auto directory = DataDirectory::Open(fs_, "/data", ServerKind::kKv, random_);
    EXPECT_TRUE(directory.ok()) << directory.status();
    return *std::move(directory);
  }
  static catalog::BirthCertificate Certificate(const DataDirectory& directory) {
    catalog::BirthCertificate certificate;
    certificate.set_cluster_id("c1");
    certificate.set_gid(7);
    catalog::Member& member = *certificate.add_members();
    member.set_id(1);
    member.set_uuid(directory.identity().uuid);
    return certificate;
  }
  absl::Status Bear(DataDirectory& directory) {
    return directory.AcceptBirth(Certificate(directory), start_);
  }
  // A member fails; returns when all that follows has happened.
  void Fail(DataDirectory& directory, const absl::Status& why) {
    directory.Fail(
        why, [this] { ++stops_; }, [this](const absl::Status& end) { end_ = end; });
    directory.StartIfBorn([](const Identity&) { return absl::OkStatus(); }).IgnoreError();
  }
  // A start after a power failure: nothing runs, and the reason is known.
  void ExpectNoMember(const std::string& why) {
    fs_.Crash();
    const int before = starts_;
    auto directory = Open();
    for (const absl::Status& status :
         {directory->Quarantined(), directory->StartIfBorn(start_), Bear(*directory)}) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      EXPECT_THAT(status.ToString(), HasSubstr(why));
      EXPECT_THAT(status.ToString(), HasSubstr("kdbctl member replace"));
    }
    EXPECT_EQ(starts_, before);
  }

  MemoryFileSystem fs_;
  Random random_{1};
  absl::Status answer_;  // of a member's start
  int starts_ = 0;
  int stops_ = 0;
  absl::Status end_;
  const DataDirectory::Start start_ = [this](const Identity&) {
    ++starts_;
    return answer_;
  };
};

TEST_F(QuarantineTest, DamageStopsTheMemberForEver) {
  {
    auto directory = Open();
    ASSERT_TRUE(Bear(*directory).ok());
    Fail(*directory, DamageError("block checksum mismatch"));
    EXPECT_EQ(stops_, 1);
    EXPECT_TRUE(end_.ok()) << end_;
    Fail(*directory, DamageError("what came of it"));
    EXPECT_THAT(directory->Quarantined().ToString(), HasSubstr("/data is in quarantine: block"));
  }
  ExpectNoMember("block checksum mismatch");
  ExpectNoMember("block checksum mismatch");
}

TEST_F(QuarantineTest, DamageThatAStartMeets) {
  {
    auto directory = Open();
    answer_ = DamageError("a bad record");
    EXPECT_THAT(Bear(*directory).ToString(), HasSubstr("is in quarantine: a bad record"));
    answer_ = absl::OkStatus();
    EXPECT_FALSE(directory->StartIfBorn(start_).ok());
  }
  ExpectNoMember("a bad record");
}

TEST_F(QuarantineTest, AnInputOutputErrorEndsTheProcessAndMayBeOverThen) {
  {
    auto directory = Open();
    ASSERT_TRUE(Bear(*directory).ok());
    Fail(*directory, absl::DataLossError("EIO"));
    EXPECT_EQ(end_, absl::DataLossError("EIO"));
    EXPECT_EQ(stops_, 0);
  }
  auto directory = Open();
  EXPECT_TRUE(directory->Quarantined().ok());
  EXPECT_TRUE(directory->StartIfBorn(start_).ok());
}

TEST_F(QuarantineTest, ADamagedNoteCounts) {
  {
    auto directory = Open();
    ASSERT_TRUE(Bear(*directory).ok());
    Fail(*directory, DamageError("a bad block"));
  }
  ASSERT_TRUE(FlipBit(fs_, "/data/quarantine", 50).ok());
  ExpectNoMember("the reason cannot be read");
}

TEST_F(QuarantineTest, WithoutANoteTheProcessEnds) {
  auto directory = Open();
  fs_.faults().Fail(FsOp::kSync, "quarantine", 0, absl::DataLossError("EIO"));
  Fail(*directory, DamageError("a bad block"));
  EXPECT_THAT(end_.ToString(), HasSubstr("could not be put in quarantine"));
  EXPECT_THAT(end_.ToString(), HasSubstr("a bad block"));
  EXPECT_EQ(stops_, 0);
}

TEST_F(QuarantineTest, TheMarkOfDamageSurvivesWhatIsSaidAboutIt) {
  const absl::Status status = WithContext("applying", DamageError("a bad block"));
  EXPECT_TRUE(IsDamage(status));
  EXPECT_EQ(status.message(), "applying: a bad block");
  EXPECT_FALSE(IsDamage(WithContext("applying", absl::DataLossError("EIO"))));
}

}  // namespace
}  // namespace kdb::raftnode

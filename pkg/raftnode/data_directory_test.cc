#include "pkg/raftnode/data_directory.h"

#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"

namespace kdb::raftnode {
namespace {

class DataDirectoryTest : public ::testing::Test {
 protected:
  std::unique_ptr<DataDirectory> Open() {
    auto directory = DataDirectory::Open(fs_, "/data", ServerKind::kKv, random_);
    EXPECT_TRUE(directory.ok()) << directory.status();
    return directory.ok() ? *std::move(directory) : nullptr;
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
  // A member that starts as `answer_` says.
  absl::Status Start(const Identity& identity) {
    EXPECT_TRUE(identity.birth.has_value());
    ++starts_;
    return answer_;
  }

  MemoryFileSystem fs_;
  Random random_{1};
  absl::Status answer_;
  int starts_ = 0;
  const DataDirectory::Start start_ = [this](const Identity& identity) { return Start(identity); };
};

TEST_F(DataDirectoryTest, BelongsToOneProcess) {
  auto directory = Open();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      DataDirectory::Open(fs_, "/data", ServerKind::kKv, random_).status()));
  directory.reset();
  Open();
}

TEST_F(DataDirectoryTest, ABirthStartsTheMemberOnce) {
  auto directory = Open();
  EXPECT_TRUE(directory->StartIfBorn(start_).ok());
  EXPECT_EQ(starts_, 0);
  EXPECT_TRUE(directory->AcceptBirth(Certificate(*directory), start_).ok());
  EXPECT_TRUE(directory->AcceptBirth(Certificate(*directory), start_).ok());
  EXPECT_EQ(starts_, 1);
  EXPECT_EQ(directory->identity().self()->id(), 1u);
}

TEST_F(DataDirectoryTest, ARestartRunsBehindWhatIsUnderWay) {
  auto directory = Open();
  ASSERT_TRUE(directory->AcceptBirth(Certificate(*directory), start_).ok());
  int restarts = 0;
  directory->RestartLater(
      [&](const Identity& identity) { restarts += identity.birth.has_value(); });
  directory->Close();
  EXPECT_EQ(restarts, 1);
}

TEST_F(DataDirectoryTest, NothingStartsOnceItIsClosed) {
  auto directory = Open();
  directory->Close();
  directory->RestartLater([](const Identity&) { ADD_FAILURE(); });
  EXPECT_TRUE(absl::IsUnavailable(directory->AcceptBirth(Certificate(*directory), start_)));
  EXPECT_EQ(starts_, 0);
  EXPECT_FALSE(directory->identity().birth.has_value());
  directory->Close();
}

TEST_F(DataDirectoryTest, ABornDirectoryStartsAfterAPowerFailure) {
  auto directory = Open();
  ASSERT_TRUE(directory->AcceptBirth(Certificate(*directory), start_).ok());
  directory.reset();
  fs_.Crash();
  directory = Open();
  EXPECT_TRUE(directory->StartIfBorn(start_).ok());
  EXPECT_EQ(starts_, 2);
}

TEST_F(DataDirectoryTest, ACertificateOfAnotherStartsNothing) {
  auto directory = Open();
  catalog::BirthCertificate certificate = Certificate(*directory);
  certificate.mutable_members(0)->set_uuid("other");
  EXPECT_TRUE(absl::IsFailedPrecondition(directory->AcceptBirth(certificate, start_)));
  EXPECT_EQ(starts_, 0);
  EXPECT_FALSE(directory->identity().birth.has_value());
}

TEST_F(DataDirectoryTest, AStartThatFailedIsTriedAgain) {
  auto directory = Open();
  answer_ = absl::DataLossError("no");
  EXPECT_EQ(directory->AcceptBirth(Certificate(*directory), start_), answer_);
  EXPECT_TRUE(directory->identity().birth.has_value());
  answer_ = absl::OkStatus();
  EXPECT_TRUE(directory->AcceptBirth(Certificate(*directory), start_).ok());
  EXPECT_EQ(starts_, 2);
}

}  // namespace
}  // namespace kdb::raftnode

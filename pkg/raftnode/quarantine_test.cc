#include "pkg/raftnode/quarantine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/base/damage.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/raftnode/data_directory.h"

namespace kdb::raftnode {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class QuarantineTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<DataDirectory>> Open() {
    return DataDirectory::Open(fs_, "/data", ServerKind::kKv, random_);
  }
  void ExpectRefusal(const std::string& why) {
    fs_.Crash();
    absl::Status status = Open().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr(why));
    EXPECT_THAT(status.ToString(), HasSubstr("kdbctl member replace"));
  }

  MemoryFileSystem fs_;
  Random random_{1};
};

TEST_F(QuarantineTest, DamageKeepsTheDirectoryFromEveryLaterStart) {
  {
    auto directory = *Open();
    absl::Status why = directory->NoteFatal(DamageError("block checksum mismatch"));
    EXPECT_THAT(why.ToString(), HasSubstr("block checksum mismatch"));
    EXPECT_THAT(why.ToString(), HasSubstr("/data is in quarantine"));
    directory->NoteFatal(DamageError("what came of it")).IgnoreError();
  }
  ExpectRefusal("block checksum mismatch");
  ExpectRefusal("block checksum mismatch");
}

TEST_F(QuarantineTest, AnInputOutputErrorMayBeOverAfterARestart) {
  {
    auto directory = *Open();
    const absl::Status why = absl::DataLossError("EIO");
    EXPECT_EQ(directory->NoteFatal(why), why);
  }
  EXPECT_TRUE(Open().ok());
}

TEST_F(QuarantineTest, ADamagedNoteCounts) {
  { (*Open())->NoteFatal(DamageError("a bad block")).IgnoreError(); }
  ASSERT_TRUE(FlipBit(fs_, "/data/quarantine", 50).ok());
  ExpectRefusal("the reason cannot be read");
}

TEST_F(QuarantineTest, ANoteThatCannotBeWrittenIsSaid) {
  auto directory = *Open();
  fs_.faults().Fail(FsOp::kSync, "quarantine", 0, absl::DataLossError("EIO"));
  EXPECT_THAT(directory->NoteFatal(DamageError("a bad block")).ToString(),
              HasSubstr("could not be put in quarantine"));
}

TEST_F(QuarantineTest, TheMarkOfDamageSurvivesWhatIsSaidAboutIt) {
  const absl::Status status = WithContext("applying", DamageError("a bad block"));
  EXPECT_TRUE(IsDamage(status));
  EXPECT_EQ(status.message(), "applying: a bad block");
  EXPECT_FALSE(IsDamage(WithContext("applying", absl::DataLossError("EIO"))));
}

}  // namespace
}  // namespace kdb::raftnode

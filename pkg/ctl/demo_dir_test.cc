#include "pkg/ctl/demo_dir.h"

#include <gmock/gmock.h>

#include "pkg/env/memory_file_system.h"

namespace kdb::ctl {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class DemoDirTest : public testing::Test {
 protected:
  MemoryFileSystem fs_;
};

TEST_F(DemoDirTest, IsOneDemosAtATime) {
  auto dir = DemoDir::Claim(fs_, "a/demo");
  ASSERT_TRUE(dir.ok()) << dir.status();
  ASSERT_TRUE(dir->WriteState("mine").ok());
  auto second = DemoDir::Claim(fs_, "a/demo");
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(second.status().ToString(), HasSubstr("another demo runs in a/demo"));
  EXPECT_EQ(*ReadFile(fs_, "a/demo/demo.json"), "mine");
  dir = absl::CancelledError();
  EXPECT_TRUE(DemoDir::Claim(fs_, "a/demo").ok());
}

TEST_F(DemoDirTest, ClearsAllButItsClaim) {
  auto dir = DemoDir::Claim(fs_, "demo");
  ASSERT_TRUE(dir.ok()) << dir.status();
  ASSERT_TRUE(dir->WriteState("{}").ok());
  ASSERT_TRUE(CreateDirs(fs_, "demo/kv-0/db").ok());
  ASSERT_TRUE(WriteFileDurably(fs_, "demo/kv-0/db/file", "data").ok());
  ASSERT_TRUE(dir->Clear().ok());
  EXPECT_THAT(*fs_.List("demo"), Not(Contains(AnyOf("demo.json", "kv-0"))));
  EXPECT_FALSE(DemoDir::Claim(fs_, "demo").ok());
}

TEST_F(DemoDirTest, IsNotWhatOthersFilled) {
  ASSERT_TRUE(CreateDirs(fs_, "home").ok());
  ASSERT_TRUE(WriteFileDurably(fs_, "home/thesis", "...").ok());
  auto dir = DemoDir::Claim(fs_, "home");
  EXPECT_TRUE(absl::IsFailedPrecondition(dir.status()));
  EXPECT_THAT(dir.status().ToString(), HasSubstr("not a demo's directory"));
  EXPECT_THAT(*fs_.List("home"), ElementsAre("thesis"));
  EXPECT_TRUE(absl::IsInvalidArgument(DemoDir::Claim(fs_, "").status()));
}

}  // namespace
}  // namespace kdb::ctl

#include "cmd/process/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace kdb::process {
namespace {

class FitToDescriptorsTest : public ::testing::Test {
 protected:
  FitToDescriptorsTest() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit low = before_;
    low.rlim_cur = 64;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  }
  ~FitToDescriptorsTest() override { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }

  uint64_t most() const { return before_.rlim_max; }
  static uint64_t Fit(uint64_t reserved, uint64_t connections) {
    FitToDescriptors(*obs::NullLogger(), reserved, "connections", &connections);
    return connections;
  }

 private:
  rlimit before_{};
};

TEST_F(FitToDescriptorsTest, RaisesTheLimitAsFarAsItMay) {
  EXPECT_EQ(Fit(16, 32), 32u);
  rlimit now{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, most());
}

TEST_F(FitToDescriptorsTest, LeavesRoomForOtherFiles) { EXPECT_EQ(Fit(16, most()), most() - 16); }

TEST_F(FitToDescriptorsTest, OtherFilesTakeHalfAtMost) {
  EXPECT_EQ(Fit(most() - 1, most()), most() / 2);
  EXPECT_EQ(Fit(most() - 1, most() / 2), most() / 2);
}

}  // namespace
}  // namespace kdb::process

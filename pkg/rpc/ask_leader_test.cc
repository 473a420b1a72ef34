#include "pkg/rpc/ask_leader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace kdb::rpc {
namespace {

using ::testing::ElementsAre;

class AskLeaderTest : public ::testing::Test {
 protected:
  struct Answer {
    absl::Status status = absl::UnavailableError("connection refused");
    std::string hint = {};
  };
  absl::Status Ask(const std::vector<std::string>& addresses) {
    return AskLeader(addresses, [this](const std::string& address, std::string* hint) {
      asked_.push_back(address);
      *hint = answers_[address].hint;
      return answers_[address].status;
    });
  }
  static Answer Leader() { return {absl::OkStatus()}; }
  static Answer Follower(const std::string& leader) {
    return {absl::FailedPreconditionError("not the leader"), leader};
  }

  std::map<std::string, Answer> answers_;
  std::vector<std::string> asked_;
};

TEST_F(AskLeaderTest, GoesWhereAFollowerSaysAndThenAsksTheOthers) {
  answers_["b"] = Follower("d");
  answers_["c"] = Leader();
  EXPECT_TRUE(Ask({"", "a", "b", "c"}).ok());
  EXPECT_THAT(asked_, ElementsAre("a", "b", "d", "c"));
}

TEST_F(AskLeaderTest, TheLeadersRefusalIsFinal) {
  answers_["a"] = {absl::FailedPreconditionError("the last voter")};
  answers_["b"] = Leader();
  EXPECT_EQ(Ask({"a", "b"}).message(), "the last voter");
}

TEST_F(AskLeaderTest, ServersOfOtherGroupsMayBeAtAnAddress) {
  answers_["a"] = {absl::UnimplementedError("this is a member of group 2")};
  answers_["b"] = Leader();
  EXPECT_TRUE(Ask({"a", "b"}).ok());
  EXPECT_EQ(Ask({"a"}).message(), "this is a member of group 2");
}

TEST_F(AskLeaderTest, ItMayBeWorthWhileToAskAgainIfOneWasSilent) {
  answers_["a"] = {absl::UnimplementedError("this is a member of group 2")};
  for (const auto& addresses : {std::vector<std::string>{"a", "b"}, {"b", "a"}}) {
    EXPECT_EQ(Ask(addresses), absl::UnavailableError("connection refused"));
  }
}

TEST_F(AskLeaderTest, NobodyIsAskedTwice) {
  answers_["a"] = Follower("b");
  answers_["b"] = Follower("a");
  absl::Status status = Ask({"a", "b"});
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(asked_, ElementsAre("a", "b"));
  EXPECT_TRUE(absl::IsUnavailable(Ask({})));
}

}  // namespace
}  // namespace kdb::rpc

#include "pkg/proxy/local_shards.h"

#include <utility>

#include "pkg/routing/router_fixture_test.h"

namespace kdb::proxy {
namespace {

class LocalShardsTest : public routing::RouterFixture {
 protected:
  void Ask() {
    AskAllShards(
        *router_, *executor_, *redis::FindCommand("dbsize"),
        [this](std::vector<std::string> replies) { asked_.push_back(std::move(replies)); });
  }

  std::vector<std::vector<std::string>> asked_;
};

TEST_F(LocalShardsTest, BringsTheRepliesOnce) {
  routing::ScriptedLink& link = Ready();
  Ask();
  Settle();
  link.ReadExecuted(0, {routing::TextResult(":3\r\n")});
  RunFor(2 * kShardsPatience);
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_EQ(asked_[0], std::vector<std::string>{":3\r\n"});
}

TEST_F(LocalShardsTest, DoesNotWaitForAnElection) {
  routing::ScriptedLink& link = Ready();
  Ask();
  RunFor(kShardsPatience + std::chrono::milliseconds(1));
  ASSERT_EQ(asked_.size(), 1u);
  EXPECT_TRUE(asked_[0].at(0).starts_with("-TIMEOUT ")) << asked_[0][0];
  link.ReadExecuted(0, {routing::TextResult(":3\r\n")});
  EXPECT_EQ(asked_.size(), 1u);
}

}  // namespace
}  // namespace kdb::proxy

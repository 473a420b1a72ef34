#include <gmock/gmock.h>

#include "pkg/proxy/local_fixture.h"

namespace kdb::proxy {
namespace {

using testing::StartsWith;

class LocalReplicationTest : public LocalCommandTest {
 protected:
  void AddGroup(catalog::Group::State state, int voters, int learners) {
    catalog::Group* group = catalog_.reply->mutable_catalog()->add_groups();
    group->set_state(state);
    for (int i = 0; i < voters + learners; ++i) {
      group->add_members()->set_role(i < voters ? catalog::Member::VOTER
                                                : catalog::Member::LEARNER);
    }
  }
};

TEST_F(LocalReplicationTest, TimeIsTheWallClocks) {
  EXPECT_EQ(Run({"time"}), "*2\r\n$10\r\n1700000000\r\n$6\r\n123000\r\n");
}

TEST_F(LocalReplicationTest, EveryProxyIsAMasterWithoutReplicas) {
  EXPECT_EQ(Run({"role"}), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
}

TEST_F(LocalReplicationTest, WaitTellsTheReplicasOfAMajority) {
  EXPECT_EQ(Run({"wait", "1", "0"}), ":0\r\n") << "no group has joined";
  AddGroup(catalog::Group::JOINED, 5, 2);
  EXPECT_EQ(Run({"wait", "1", "0"}), ":2\r\n");
  AddGroup(catalog::Group::JOINED, 3, 0);
  AddGroup(catalog::Group::REGISTERED, 1, 0);
  EXPECT_EQ(Run({"wait", "5", "100"}), ":1\r\n") << "the least of the groups that have joined";
}

TEST_F(LocalReplicationTest, WaitSaysWhenMetaDoesNotAnswer) {
  catalog_.reply = absl::UnavailableError("nobody there");
  EXPECT_THAT(Run({"wait", "1", "0"}), StartsWith("-ERR the number of replicas is not known"));
}

TEST_F(LocalReplicationTest, WaitRefusesInRedissWords) {
  EXPECT_EQ(Run({"wait", "x", "0"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(Run({"wait", "0", "x"}), "-ERR timeout is not an integer or out of range\r\n");
  EXPECT_EQ(Run({"wait", "0", "-1"}), "-ERR timeout is negative\r\n");
}

TEST_F(LocalReplicationTest, AnAnswerThatComesLaterIsInTheVersionOfTheQuestion) {
  catalog_.hold = true;
  EXPECT_EQ(Run({"info", "meta"}), "");
  client_.version = resp::Version::kResp3;
  catalog_.held(metapb::QueryReply());
  EXPECT_EQ(later_, "$8\r\n# Meta\r\n\r\n");
}

}  // namespace
}  // namespace kdb::proxy

#include "pkg/raftnode/group_room.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace kdb::raftnode {
namespace {

class GroupRoomTest : public ::testing::Test {
 protected:
  static raft::ConfState Conf(std::vector<raft::NodeId> voters, std::vector<raft::NodeId> outgoing,
                              std::vector<raft::NodeId> learners) {
    raft::ConfState conf;
    conf.voters = std::move(voters);
    conf.voters_outgoing = std::move(outgoing);
    conf.learners = std::move(learners);
    return conf;
  }
  bool Refuses() {
    room_.Update(1, conf_);
    return room_.status().refuses_growth();
  }

  raft::ConfState conf_ = Conf({1, 2, 3}, {}, {4});
  GroupRoom room_;
};

TEST_F(GroupRoomTest, OneFullFollowerHoldsNobodyUp) {
  room_.OnAnswer(2, true);
  room_.OnAnswer(4, true);
  EXPECT_FALSE(Refuses());
}

TEST_F(GroupRoomTest, AFullMajorityRefusesUntilOneHasRoom) {
  room_.OnAnswer(2, true);
  room_.OnAnswer(3, true);
  EXPECT_TRUE(Refuses());
  EXPECT_TRUE(room_.status().quorum_full);
  room_.OnAnswer(3, false);
  EXPECT_FALSE(Refuses());
}

TEST_F(GroupRoomTest, AFullLeaderRefuses) {
  room_.SetOwn(DiskLevel::kWarn, "86 %");
  EXPECT_FALSE(Refuses());
  room_.SetOwn(DiskLevel::kFull, "93 %");
  EXPECT_TRUE(Refuses());
  EXPECT_FALSE(room_.status().quorum_full);
  EXPECT_EQ(room_.status().text, "93 %");
}

TEST_F(GroupRoomTest, BothHalvesOfAJointConfigurationNeedRoom) {
  conf_ = Conf({1, 2, 3}, {1, 4, 5}, {});
  room_.OnAnswer(4, true);
  EXPECT_FALSE(Refuses());
  room_.OnAnswer(5, true);
  EXPECT_TRUE(Refuses());
}

TEST_F(GroupRoomTest, TellsOfChangesAlone) {
  EXPECT_FALSE(room_.Update(1, conf_));
  room_.OnAnswer(2, true);
  EXPECT_FALSE(room_.Update(1, conf_));
  room_.OnAnswer(3, true);
  EXPECT_TRUE(room_.Update(1, conf_));
  EXPECT_FALSE(room_.Update(1, conf_));
  room_.ForgetPeers();
  EXPECT_TRUE(room_.Update(1, conf_));
}

}  // namespace
}  // namespace kdb::raftnode

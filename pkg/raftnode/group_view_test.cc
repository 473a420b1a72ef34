#include "pkg/raftnode/group_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::raftnode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

catalog::Member MemberOf(raft::NodeId id, const std::string& uuid, const std::string& address) {
  catalog::Member member;
  member.set_id(id);
  member.set_uuid(uuid);
  member.set_address(address);
  return member;
}

catalog::BirthCertificate Birth() {
  catalog::BirthCertificate birth;
  birth.set_gid(7);
  *birth.add_members() = MemberOf(1, "u1", "h1:1");
  *birth.add_members() = MemberOf(2, "u2", "h2:1");
  *birth.add_members() = MemberOf(3, "u3", "h3:1");
  birth.mutable_members(2)->set_role(catalog::Member::LEARNER);
  return birth;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

class GroupViewTest : public ::testing::Test {
 protected:
  void Lead(raft::Role role, raft::NodeId leader) {
    view_.SetLeadership({.role = role, .term = 5, .leader = leader});
  }

  GroupView view_{Birth(), 1, obs::NullLogger()};
};

TEST_F(GroupViewTest, AGroupIsBornWithItsVotersAndLearners) {
  raft::ConfState conf = InitialConf(Birth());
  EXPECT_THAT(conf.voters, ElementsAre(1, 2));
  EXPECT_THAT(conf.learners, ElementsAre(3));
}

TEST_F(GroupViewTest, AnAddressMovesOnlyWithItsDirectory) {
  view_.UpdateAddresses(
      {MemberOf(2, "u2", "h2:9"), MemberOf(3, "other", "h3:9"), MemberOf(4, "u4", "h4:9")});
  std::vector<std::string> addresses;
  for (const Peer& peer : view_.Peers()) addresses.push_back(peer.address);
  EXPECT_THAT(addresses, ElementsAre("h1:1", "h2:9", "h3:1"));
}

TEST_F(GroupViewTest, KnowsMembersByIdAndDirectory) {
  EXPECT_TRUE(view_.CheckMember(2, "u2").ok());
  EXPECT_THAT(Message(view_.CheckMember(9, "u2")), HasSubstr("member 9 is not one of group 7"));
  EXPECT_THAT(Message(view_.CheckMember(2, "u9")), HasSubstr("is directory u2, not u9"));
}

TEST_F(GroupViewTest, ItsOwnAddressIsNoHint) {
  EXPECT_EQ(view_.LeaderAddress(), "");
  Lead(raft::Role::kFollower, 2);
  EXPECT_EQ(view_.LeaderAddress(), "h2:1");
  Lead(raft::Role::kLeader, 1);
  EXPECT_EQ(view_.LeaderAddress(), "");
  EXPECT_EQ(view_.leadership().term, 5u);
}

TEST_F(GroupViewTest, IsStartedWhenTheLogIsReplayed) {
  raft::RaftStatus status;
  EXPECT_THAT(Message(view_.Started(status)), HasSubstr("being opened"));
  view_.SetReplayTarget(10);
  status.applied = 9;
  EXPECT_THAT(Message(view_.Started(status)), HasSubstr("applied 9 of 10"));
  status.applied = 10;
  EXPECT_TRUE(view_.Started(status).ok());
}

TEST_F(GroupViewTest, SaysWhyItIsNotReady) {
  raft::RaftStatus status;
  status.id = 1;
  EXPECT_THAT(Message(view_.Ready(status, 5)), HasSubstr("not a voter"));
  status.conf.voters = {1, 2};
  EXPECT_THAT(Message(view_.Ready(status, 5)), HasSubstr("no leader"));
  status.leader = 2;
  status.commit = 6;
  EXPECT_THAT(Message(view_.Ready(status, 5)), HasSubstr("6 committed entries"));
  status.applied = 1;
  EXPECT_TRUE(view_.Ready(status, 5).ok());
  status.applied = 7;  // the copy's commit index is older
  EXPECT_TRUE(view_.Ready(status, 5).ok());
  view_.SetDegraded(true, "the disk is full");
  EXPECT_THAT(Message(view_.Ready(status, 5)), HasSubstr("the disk is full"));
  view_.SetDegraded(false, "the disk is full");
  EXPECT_TRUE(view_.Ready(status, 5).ok());
}

}  // namespace
}  // namespace kdb::raftnode

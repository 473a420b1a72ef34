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

class Peers final : public Transport {
 public:
  void SetPeers(std::vector<Peer> peers, raft::Index index) override {
    members_index = index;
    addresses.clear();
    for (const Peer& peer : peers) addresses.push_back(peer.address);
  }
  void Send(std::vector<raft::Message>) override {}
  std::vector<std::string> addresses;
  raft::Index members_index = 0;
};

class GroupViewTest : public ::testing::Test {
 protected:
  void Lead(raft::Role role, raft::NodeId leader) {
    view_.SetLeadership({.role = role, .term = 5, .leader = leader});
  }

  GroupView view_{Birth(), 1, obs::NullLogger()};
};

TEST_F(GroupViewTest, TheTransportFollowsTheLog) {
  Peers transport;
  view_.Connect(transport);
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "h2:1", "h3:1"));
  Membership membership = view_.membership();
  membership.highest_id = 4;
  membership.members.erase(2);
  membership.members[4] = MemberOf(4, "u4", "h4:1");
  const uint64_t version = view_.version();
  view_.SetMembership(membership);
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "h4:1"));
  EXPECT_GT(view_.version(), version);
}

TEST_F(GroupViewTest, ALearnerKnowsItselfBeforeItsLogDoes) {
  EXPECT_EQ(view_.Member(3)->uuid(), "u3");
  EXPECT_THAT(view_.membership().conf.voters, ElementsAre(1, 2));
  EXPECT_EQ(view_.membership().members.count(3), 0u);
}

TEST_F(GroupViewTest, AMemberThatCameLaterIsLetInUnderOneName) {
  Peers transport;
  view_.Connect(transport);
  EXPECT_TRUE(view_.Admit({5, "u5", "h5:1"}).ok());
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "h2:1", "h3:1", "h5:1"));
  EXPECT_THAT(Message(view_.Admit({5, "u6", "h5:1"})), HasSubstr("is directory u5, not u6"));
  EXPECT_THAT(Message(view_.Admit({2, "u5", "h5:1"})), HasSubstr("is directory u2, not u5"));
  Lead(raft::Role::kFollower, 5);
  EXPECT_EQ(view_.LeaderAddress(), "h5:1");
}

TEST_F(GroupViewTest, AMemberThatMovedIsFoundByTheNewerMembership) {
  Peers transport;
  view_.Connect(transport);
  Membership membership = view_.membership();
  membership.index = 20;
  view_.SetMembership(membership);
  EXPECT_EQ(transport.members_index, 20u);
  // It knows no more than is known here, and the log here says where it is.
  EXPECT_TRUE(view_.Admit({2, "u2", "old:1", 20}).ok());
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "h2:1", "h3:1"));
  EXPECT_TRUE(view_.Admit({2, "u2", "new:1", 21}).ok());
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "new:1", "h3:1"));
  Lead(raft::Role::kFollower, 2);
  EXPECT_EQ(view_.LeaderAddress(), "new:1");
  EXPECT_FALSE(view_.Admit({2, "u9", "new:1", 22}).ok());
  // Until the log has come so far.
  membership.index = 21;
  membership.members[2].set_address("newest:1");
  view_.SetMembership(membership);
  EXPECT_THAT(transport.addresses, ElementsAre("h1:1", "newest:1", "h3:1"));
}

TEST_F(GroupViewTest, WhoWasRemovedIsRefusedByName) {
  ASSERT_TRUE(view_.Admit({4, "u4", "h4:1"}).ok());
  Membership membership = view_.membership();
  membership.highest_id = 5;
  membership.members.erase(2);
  view_.SetMembership(membership);
  for (raft::NodeId id : {2, 4}) {
    const std::string uuid = "u" + std::to_string(id);
    EXPECT_THAT(Message(view_.Admit({id, uuid, "h:1"})), HasSubstr("was removed from group 7"));
    EXPECT_THAT(Message(view_.CheckMember(id, uuid)), HasSubstr("was removed from group 7"));
  }
}

TEST_F(GroupViewTest, KnowsThatItWasRemovedByItsLogOrByOthers) {
  std::vector<std::string> said;
  view_.OnRemoved([&](const absl::Status& why) { said.push_back(Message(why)); });
  view_.SetMembership(view_.membership());
  EXPECT_THAT(said, ElementsAre());
  Membership without_it = view_.membership();
  without_it.members.erase(1);
  GroupView told(Birth(), 1, obs::NullLogger());
  told.OnRemoved([&](const absl::Status& why) { said.push_back(Message(why)); });
  for (int i = 0; i < 2; ++i) {  // again: once said is enough
    view_.SetMembership(without_it);
    told.NoteRemoved();
  }
  const std::string why = "this member was removed from group 7: stop this server";
  EXPECT_THAT(said, ElementsAre(why, why));
  EXPECT_EQ(Message(told.Ready({}, 5)), why);
}

TEST_F(GroupViewTest, LetsInOnlySoMany) {
  raft::NodeId id = 10;
  absl::Status status;
  for (; status.ok() && id < 100; ++id) status = view_.Admit({id, "u", "h"});
  EXPECT_THAT(Message(status), HasSubstr("not let in"));
  EXPECT_LE(view_.Peers().size(), 2 + GroupView::kMaxNewcomers);
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
  Membership without_it = view_.membership();
  without_it.members.erase(1);
  const Membership with_it = view_.membership();
  view_.SetMembership(without_it);
  EXPECT_THAT(Message(view_.Ready(status, 5)), HasSubstr("removed from group 7: stop this server"));
  view_.SetMembership(with_it);
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
  view_.SetDisk({.level = DiskLevel::kWarn, .quorum_full = false, .text = "86 % used"});
  EXPECT_THAT(view_.DiskTrouble(), HasSubstr("86 % used"));
  EXPECT_TRUE(view_.Ready(status, 5).ok());
}

}  // namespace
}  // namespace kdb::raftnode

#include "pkg/raftnode/member_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "pkg/raft/conf_change.h"
#include "pkg/raftnode/catch_up.h"

namespace kdb::raftnode {
namespace {

using raft::NodeId;

// Voters 1 (the leader), 2 and 3; ids up to 5 were used.
class MemberPlanTest : public ::testing::Test {
 protected:
  MemberPlanTest() {
    catalog::BirthCertificate birth;
    for (NodeId id : {1, 2, 3}) {
      catalog::Member& member = *birth.add_members();
      member.set_id(id);
      member.set_uuid(fmt::format("u{}", id));
      member.set_address(fmt::format("h{}:1", id));
    }
    now_ = {.cluster_id = "c1", .gid = 7, .membership = BirthMembership(birth), .status = {}};
    now_.membership.highest_id = 5;
    now_.status.id = 1;
    for (NodeId id : {1, 2, 3}) Progress(id, true);
  }
  void Progress(NodeId id, bool active) {
    raft::ProgressStatus p;
    p.id = id;
    p.recent_active = active;
    now_.status.progress.push_back(p);
  }
  void Kill(NodeId id) { now_.status.progress[id - 1].recent_active = false; }
  void Suspect(NodeId id) { now_.status.progress[id - 1].suspect = true; }
  void AddLearner(NodeId id, NodeId replaces = 0) {
    catalog::Member& member = now_.membership.members[id];
    member.set_id(id);
    member.set_uuid(fmt::format("u{}", id));
    member.set_address(fmt::format("h{}:1", id));
    member.set_replaces(replaces);
    now_.membership.conf.learners = {id};
    now_.membership.highest_id = id;
    Progress(id, true);
  }
  static Newcomer Empty(const std::string& uuid) { return {.uuid = uuid, .program = "kdb-kv"}; }
  static absl::StatusOr<Newcomer> Silent() { return absl::UnavailableError("refused"); }

  // What is logged, as text; "is so"; or the refusal.
  static std::string Text(const absl::StatusOr<Plan>& plan) {
    if (!plan.ok()) return plan.status().ToString();
    if (!plan->change.has_value()) return fmt::format("{} is so", plan->id);
    static constexpr const char* kKinds[] = {"add voter", "remove", "add learner", "update"};
    std::string text;
    for (const auto& step : plan->change->steps) {
      if (!text.empty()) text += ", ";
      text += fmt::format("{} {}", kKinds[static_cast<int>(step.kind)], step.node);
    }
    catalog::Member member;
    if (plan->change->context.empty() || !member.ParseFromString(plan->change->context))
      return text;
    text += fmt::format(" {}@{}", member.uuid(), member.address());
    return member.replaces() == 0 ? text : text + fmt::format(" for {}", member.replaces());
  }
  std::string Add(const std::string& address, const absl::StatusOr<Newcomer>& heard) const {
    return Text(PlanAdd(now_, address, heard));
  }
  std::string Replace(NodeId id, const std::string& address,
                      const absl::StatusOr<Newcomer>& heard) const {
    return Text(PlanReplace(now_, id, address, heard));
  }
  std::string Remove(NodeId id) const { return Text(PlanRemove(now_, id)); }
  std::string Update(NodeId id, const std::string& address,
                     const absl::StatusOr<Newcomer>& heard) const {
    return Text(PlanUpdate(now_, id, address, heard));
  }
  std::string Promote(NodeId id) const { return Text(PlanPromotion(now_, id)); }

  Situation now_;
};

TEST_F(MemberPlanTest, ANewMemberHasAnIdThatWasNeverUsed) {
  EXPECT_EQ(Add("h9:1", Empty("u9")), "add learner 6 u9@h9:1");
  EXPECT_EQ(Replace(2, "h9:1", Empty("u9")), "add learner 6 u9@h9:1 for 2");
  EXPECT_EQ(Replace(2, "h2:1", Empty("u9")), "add learner 6 u9@h2:1 for 2");
}

TEST_F(MemberPlanTest, WhatIsSoAlreadyIsNotLogged) {
  EXPECT_EQ(Add("h2:1", Empty("u2")), "2 is so");
  EXPECT_EQ(Remove(4), "4 is so");
  EXPECT_EQ(Update(2, "h2:1", Silent()), "2 is so");
  AddLearner(6, 2);
  EXPECT_EQ(Replace(2, "h6:1", Empty("u6")), "6 is so");
  EXPECT_EQ(Replace(4, "h6:1", Empty("u6")), "6 is so");  // 4 is gone
}

TEST_F(MemberPlanTest, RefusesUnknownMembers) {
  EXPECT_EQ(Replace(9, "h9:1", Empty("u9")),
            "NOT_FOUND: group 7 has no member 9: its members are 1,2,3");
  EXPECT_EQ(Replace(4, "h9:1", Empty("u9")),
            "NOT_FOUND: group 7 has no member 4 any more: its members are 1,2,3");
  EXPECT_EQ(Remove(9), "NOT_FOUND: group 7 has no member 9: its members are 1,2,3");
  EXPECT_EQ(Remove(0), "NOT_FOUND: group 7 has no member 0: its members are 1,2,3");
  EXPECT_EQ(Update(9, "h9:1", Empty("u9")),
            "NOT_FOUND: group 7 has no member 9: its members are 1,2,3");
}

TEST_F(MemberPlanTest, RefusesTheAddressOfAnotherMember) {
  EXPECT_EQ(Add("h2:1", Empty("u9")),
            "FAILED_PRECONDITION: h2:1 is the address of member 2 of group 7, whose directory is "
            "u2: a new or emptied directory there is a new member, so replace member 2 by it");
  EXPECT_EQ(Add("h2:1", Silent()), Add("h2:1", Empty("u9")));
  EXPECT_EQ(Replace(3, "h2:1", Empty("u9")),
            "FAILED_PRECONDITION: h2:1 is the address of member 2 of group 7");
  EXPECT_EQ(Update(3, "h2:1", Empty("u3")),
            "FAILED_PRECONDITION: h2:1 is the address of member 2 of group 7");
}

TEST_F(MemberPlanTest, RefusesADirectoryThatIsAMember) {
  EXPECT_EQ(Add("h9:1", Empty("u2")),
            "FAILED_PRECONDITION: the server at h9:1 is member 2 of group 7, known at h2:1: update "
            "that member's address");
  EXPECT_EQ(Replace(3, "h9:1", Empty("u2")),
            "FAILED_PRECONDITION: the server at h9:1 is member 2 of group 7 itself: the new one "
            "needs an empty directory");
  EXPECT_EQ(Replace(2, "h2:1", Empty("u2")),
            "FAILED_PRECONDITION: the server at h2:1 is member 2 of group 7 itself: the new one "
            "needs an empty directory");
}

TEST_F(MemberPlanTest, RefusesADirectoryThatIsNotEmpty) {
  Newcomer removed = Empty("u4");
  removed.cluster_id = "c1";
  removed.gid = 7;
  removed.member_id = 4;
  EXPECT_EQ(Add("h4:1", removed),
            "FAILED_PRECONDITION: the directory at h4:1 was member 4 of this group, and is "
            "removed: ids are never used again; start the server on an empty directory");
  Newcomer other = removed;
  other.gid = 8;
  EXPECT_EQ(Add("h4:1", other),
            "FAILED_PRECONDITION: the directory at h4:1 is not empty: it is member 4 of group 8 of "
            "cluster c1 for life; start the server on an empty one");
  other.cluster_id = "c2";
  EXPECT_EQ(Replace(2, "h4:1", other),
            "FAILED_PRECONDITION: the directory at h4:1 is not empty: it is member 4 of group 8 of "
            "cluster c2 for life; start the server on an empty one");
}

TEST_F(MemberPlanTest, RefusesAServerOfAnotherKindOrCluster) {
  Newcomer meta = Empty("u9");
  meta.program = "kdb-meta";
  EXPECT_EQ(Add("h9:1", meta),
            "FAILED_PRECONDITION: the server at h9:1 is a kdb-meta, group 7 has kdb-kv servers");
  Newcomer elsewhere = Empty("u9");
  elsewhere.follows = "c2";
  EXPECT_EQ(Add("h9:1", elsewhere),
            "FAILED_PRECONDITION: the server at h9:1 follows cluster c2, not c1: correct its meta "
            "servers");
}

TEST_F(MemberPlanTest, RefusesASilentServer) {
  const std::string why =
      "FAILED_PRECONDITION: the server at h9:1 does not answer: start it first; nothing was "
      "changed "
      "(refused)";
  EXPECT_EQ(Add("h9:1", Silent()), why);
  EXPECT_EQ(Replace(2, "h9:1", Silent()), why);
  EXPECT_EQ(Update(2, "h9:1", Silent()), why);
}

TEST_F(MemberPlanTest, RefusesASecondChange) {
  AddLearner(6);
  const std::string why =
      "FAILED_PRECONDITION: member 6 of group 7 is being added: wait until it is a voter, or "
      "remove it, before the next change";
  EXPECT_EQ(Add("h9:1", Empty("u9")), why);
  EXPECT_EQ(Replace(2, "h9:1", Empty("u9")), why);
  EXPECT_EQ(Remove(2), why);
  EXPECT_EQ(Remove(6), "remove 6");
  EXPECT_EQ(Update(6, "h9:1", Empty("u6")), "update 6 u6@h9:1");
  now_.membership.conf.learners = {};
  now_.membership.conf.voters_outgoing = {1, 2, 3};
  EXPECT_EQ(Remove(2),
            "FAILED_PRECONDITION: a change of the members of group 7 is under way: repeat the call "
            "when it is done");
}

TEST_F(MemberPlanTest, RefusesToRemoveTheLastVoter) {
  now_.membership.conf.voters = {1};
  EXPECT_EQ(Remove(1),
            "FAILED_PRECONDITION: member 1 is the last voter of group 7, which would be gone with "
            "its data: add another member first");
}

TEST_F(MemberPlanTest, RefusesWhatLeavesNoLiveMajority) {
  EXPECT_EQ(Remove(2), "remove 2");
  Kill(3);
  EXPECT_EQ(Remove(2),
            "FAILED_PRECONDITION: the voters of group 7 would be 1,3, of which only 1 are well, "
            "without a majority: replace or restart member 3 first");
  EXPECT_EQ(Remove(3), "remove 3");
}

TEST_F(MemberPlanTest, AMemberThatLostDataDoesNotCount) {
  Suspect(3);
  EXPECT_EQ(Remove(2),
            "FAILED_PRECONDITION: the voters of group 7 would be 1,3, of which only 1 are well, "
            "without a majority: replace or restart member 3 first");
}

TEST_F(MemberPlanTest, RefusesToReplaceOneThatIsWellWhileAnotherIsNot) {
  Kill(3);
  EXPECT_EQ(Replace(2, "h9:1", Empty("u9")),
            "FAILED_PRECONDITION: member 2 of group 7 is well and member 3 is not: replace or "
            "restart that one first");
  EXPECT_EQ(Replace(3, "h9:1", Empty("u9")), "add learner 6 u9@h9:1 for 3");
}

TEST_F(MemberPlanTest, RefusesAnAddressWhereAnotherDirectoryAnswers) {
  EXPECT_EQ(Update(2, "h9:1", Empty("u9")),
            "FAILED_PRECONDITION: the server at h9:1 is directory u9, and member 2 of group 7 is "
            "u2: a new or emptied directory is a new member, so replace member 2 by it");
}

TEST_F(MemberPlanTest, RefusesTooManyMembers) {
  for (NodeId id = 6; now_.membership.members.size() < kMaxMembers; ++id) {
    AddLearner(id);
    now_.membership.conf.learners = {};
  }
  EXPECT_EQ(Add("new:1", Empty("new")),
            "FAILED_PRECONDITION: group 7 has 15 members, and may not have more");
}

TEST_F(MemberPlanTest, ALearnerIsPromoted) {
  AddLearner(6);
  EXPECT_EQ(Promote(6), "add voter 6");
  now_.membership.members[6].set_replaces(2);
  EXPECT_EQ(Promote(6), "add voter 6, remove 2");
  now_.membership.members[6].set_replaces(4);  // removed meanwhile
  EXPECT_EQ(Promote(6), "add voter 6");
  EXPECT_EQ(Promote(2), "FAILED_PRECONDITION: member 2 of group 7 is no learner");
}

TEST_F(MemberPlanTest, ALearnerIsNotPromotedWithoutALiveMajority) {
  AddLearner(6);
  now_.status.progress.back().recent_active = false;
  EXPECT_EQ(Promote(6), "FAILED_PRECONDITION: member 6 of group 7 was not heard of lately");
  now_.status.progress.back().recent_active = true;
  Kill(2);
  Kill(3);
  EXPECT_EQ(Promote(6),
            "FAILED_PRECONDITION: the voters of group 7 would be 1,2,3,6, of which only 2 are "
            "well, without a majority: replace or restart member 2,3 first");
  now_.membership.members[6].set_replaces(3);
  // Well in the new half, not in the old one.
  EXPECT_EQ(Promote(6),
            "FAILED_PRECONDITION: the voters of group 7 would be 1,2,3, of which only 1 are well, "
            "without a majority: replace or restart member 2,3 first");
}

TEST(CertificateTest, NamesTheBirthsVotersAndTheOneThatCame) {
  catalog::BirthCertificate birth;
  birth.set_cluster_id("c1");
  birth.add_members()->set_id(1);
  birth.add_members()->set_id(4);
  birth.mutable_members(1)->set_role(catalog::Member::LEARNER);
  catalog::Member member;
  member.set_id(6);
  member.set_replaces(1);
  catalog::BirthCertificate certificate = CertificateOf(birth, member);
  ASSERT_EQ(certificate.members_size(), 2);
  EXPECT_EQ(certificate.cluster_id(), "c1");
  EXPECT_EQ(certificate.members(0).id(), 1u);
  EXPECT_EQ(certificate.members(1).id(), 6u);
  EXPECT_EQ(certificate.members(1).role(), catalog::Member::LEARNER);
  EXPECT_EQ(certificate.members(1).replaces(), 0u);
}

using std::chrono::milliseconds;

class CatchUpTest : public ::testing::Test {
 protected:
  // The learner's match and the leader's last index, `after` the look before.
  bool Look(raft::Index match, raft::Index last, milliseconds after = milliseconds(100)) {
    now_ += after;
    learner_.match = match;
    return catch_up_.Observe(learner_, last, now_);
  }
  raft::ProgressStatus learner_;
  CatchUp catch_up_{milliseconds(500)};
  Clock::Duration now_{0};
};

TEST_F(CatchUpTest, ARoundMustNotTakeLongerThanAnElection) {
  EXPECT_FALSE(Look(0, 1000));
  for (raft::Index match = 100; match < 1000; match += 100) EXPECT_FALSE(Look(match, 2000));
  EXPECT_FALSE(Look(1000, 2000));  // the round took a second
  EXPECT_FALSE(Look(1500, 2000));
  EXPECT_TRUE(Look(2000, 2500));  // 200 ms
}

TEST_F(CatchUpTest, AFastRoundIsNoUseWhenMuchCameMeanwhile) {
  EXPECT_FALSE(Look(0, 10));
  EXPECT_FALSE(Look(10, 10 + CatchUp::kMaxLag + 1));
  EXPECT_TRUE(Look(10 + CatchUp::kMaxLag + 1, 20 + CatchUp::kMaxLag));
}

TEST_F(CatchUpTest, AnIdleGroupsLearnerHasAll) { EXPECT_TRUE(Look(7, 7)); }

}  // namespace
}  // namespace kdb::raftnode

#include "pkg/raftnode/membership.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/raft/conf_change.h"

namespace kdb::raftnode {
namespace {

using enum raft::ConfChangeKind;
using Steps = std::vector<raft::ConfChange::Step>;

catalog::Member MemberOf(raft::NodeId id, const std::string& uuid, const std::string& address) {
  catalog::Member member;
  member.set_id(id);
  member.set_uuid(uuid);
  member.set_address(address);
  return member;
}

catalog::Member LearnerOf(raft::NodeId id, raft::NodeId replaces = 0) {
  catalog::Member member = MemberOf(id, fmt::format("u{}", id), fmt::format("h{}:1", id));
  member.set_role(catalog::Member::LEARNER);
  member.set_replaces(replaces);
  return member;
}

catalog::BirthCertificate Birth() {
  catalog::BirthCertificate birth;
  for (raft::NodeId id : {1, 2, 3}) {
    *birth.add_members() = MemberOf(id, fmt::format("u{}", id), fmt::format("h{}:1", id));
  }
  return birth;
}

// A group's life as text: each change, and the members behind it.
class Life {
 public:
  std::string Change(Steps steps, const std::optional<catalog::Member>& record = {}) {
    raft::ConfChange change{std::move(steps), record ? EncodeMember(*record) : ""};
    auto conf = raft::Changed(now.conf, change);
    now = AfterChange(now, change, conf.ok() ? *conf : now.conf, ++index);
    EXPECT_EQ(Text(*DecodeMembership(EncodeMembership(now), {})), Text(now));
    return Text(now);
  }
  static std::string Text(const Membership& m) {
    std::string text = fmt::format("{}: {};", m.index, Describe(m));
    for (const auto& [id, member] : m.members) {
      text += fmt::format(" {}={}@{}", id, member.uuid(), member.address());
      if (member.role() == catalog::Member::LEARNER) text += "(learner)";
    }
    return text + fmt::format("; highest {}", m.highest_id);
  }

  Membership now = BirthMembership(Birth());
  raft::Index index = 10;
};

TEST(MembershipTest, IsBornWithItsVoters) {
  catalog::BirthCertificate later = Birth();
  *later.add_members() = LearnerOf(4);
  const std::string born = "0: voters 1,2,3; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1; highest 3";
  EXPECT_EQ(Life::Text(BirthMembership(Birth())), born);
  EXPECT_EQ(Life::Text(BirthMembership(later)), born);
}

TEST(MembershipTest, AMemberIsAddedAndPromoted) {
  Life life;
  EXPECT_EQ(life.Change({{kAddLearner, 4}}, LearnerOf(4)),
            "11: voters 1,2,3, learner 4; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1 4=u4@h4:1(learner); "
            "highest 4");
  EXPECT_EQ(life.Change({{kAddVoter, 4}}),
            "12: voters 1,2,3,4; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1 4=u4@h4:1; highest 4");
}

TEST(MembershipTest, AReplacementIsOneJointStep) {
  Life life;
  EXPECT_EQ(life.Change({{kAddLearner, 4}}, LearnerOf(4, 2)),
            "11: voters 1,2,3, learner 4 for 2; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1 "
            "4=u4@h4:1(learner); highest 4");
  EXPECT_EQ(life.Change({{kAddVoter, 4}, {kRemove, 2}}),
            "12: voters 1,3,4, outgoing 1,2,3; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1 4=u4@h4:1; highest 4");
  EXPECT_EQ(life.Change({}), "13: voters 1,3,4; 1=u1@h1:1 3=u3@h3:1 4=u4@h4:1; highest 4");
  EXPECT_EQ(life.now.members.at(4).replaces(), 0u);
}

TEST(MembershipTest, IdsOfRemovedMembersAreRemembered) {
  Life life;
  life.Change({{kAddLearner, 4}}, LearnerOf(4, 2));
  // Whom it was to replace goes by another way.
  EXPECT_EQ(life.Change({{kRemove, 2}}),
            "12: voters 1,3, learner 4; 1=u1@h1:1 3=u3@h3:1 4=u4@h4:1(learner); highest 4");
  EXPECT_EQ(life.Change({{kRemove, 4}}), "13: voters 1,3; 1=u1@h1:1 3=u3@h3:1; highest 4");
}

TEST(MembershipTest, AnAddressChangesOnlyWithItsDirectory) {
  Life life;
  EXPECT_EQ(life.Change({{kUpdate, 2}}, MemberOf(2, "u2", "h9:1")),
            "11: voters 1,2,3; 1=u1@h1:1 2=u2@h9:1 3=u3@h3:1; highest 3");
  const std::string same = "voters 1,2,3; 1=u1@h1:1 2=u2@h9:1 3=u3@h3:1; highest 3";
  EXPECT_EQ(life.Change({{kUpdate, 2}}, MemberOf(2, "other", "h8:1")), "12: " + same);
  EXPECT_EQ(life.Change({{kUpdate, 2}}, MemberOf(3, "u2", "h8:1")), "13: " + same);
  EXPECT_EQ(life.Change({{kUpdate, 9}}, MemberOf(9, "u9", "h9:1")), "14: " + same);
}

TEST(MembershipTest, ARecordThatCannotBeReadIsNoReasonToDiffer) {
  Life life;
  raft::ConfChange change{{{kAddLearner, 7}}, "\xff garbage"};
  life.now = AfterChange(life.now, change, *raft::Changed(life.now.conf, change), 11);
  EXPECT_EQ(Life::Text(life.now),
            "11: voters 1,2,3, learner 7; 1=u1@h1:1 2=u2@h2:1 3=u3@h3:1 7=@(learner); highest 7");
}

TEST(MembershipTest, DecodesNothingButWhatWasEncoded) {
  Life life;
  life.Change({{kAddLearner, 4}}, LearnerOf(4, 2));
  const std::string bytes = EncodeMembership(life.now);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeMembership(bytes.substr(0, n), {}).status())) << n;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeMembership(bytes + "x", {}).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeMembership("\x03" + bytes.substr(1), {}).status()));
}

TEST(MembershipTest, AStateOfBeforeMembersCouldChangeHasTheBirths) {
  const Membership birth = BirthMembership(Birth());
  EXPECT_EQ(Life::Text(*DecodeMembership("\x01 whatever", birth)), Life::Text(birth));
}

TEST(MembershipTest, GoldenBytes) {  // frozen: FORMAT.md
  Membership m;
  m.conf.voters = {1};
  m.members[1] = MemberOf(1, "u", "h");
  m.highest_id = 5;
  m.index = 300;
  EXPECT_EQ(EncodeMembership(m), std::string("\x02\x07\x01\x01\x01\x00\x00\x00\x00\x05\xac\x02\x01"
                                             "\x01\x08\x08\x01\x12\x01u\x22\x01h",
                                             23));
}

}  // namespace
}  // namespace kdb::raftnode

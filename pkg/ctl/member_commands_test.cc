#include "pkg/ctl/member_commands.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kdb::ctl {
namespace {

memberpb::MemberView* Add(memberpb::ListMembersReply* group, uint64_t match) {
  memberpb::MemberView* view = group->add_members();
  view->mutable_member()->set_id(static_cast<uint64_t>(group->members_size()));
  view->mutable_member()->set_address("10.0.0." + std::to_string(group->members_size()) + ":8088");
  view->set_match(match);
  view->set_active(true);
  return view;
}

memberpb::ListMembersReply Sample() {
  memberpb::ListMembersReply group;
  group.set_cluster_id("c1");
  group.set_gid(7);
  group.set_leader(2);
  group.set_term(5);
  group.set_last_index(1000);
  group.set_highest_id(5);
  Add(&group, 1000);
  Add(&group, 1000);
  Add(&group, 400)->set_active(false);
  Add(&group, 0)->set_suspect(true);
  memberpb::MemberView* learner = Add(&group, 12);
  learner->mutable_member()->set_role(catalog::Member::LEARNER);
  learner->mutable_member()->set_replaces(4);
  learner->set_waits_for("it catches up: has 12 of 1000 entries");
  return group;
}

TEST(MemberCommandsTest, ListsMembersAsText) {
  EXPECT_EQ(FormatMembers(Sample(), Output::kText),
            R"(group 7 of cluster c1, term 5
  ID  ADDRESS                 ROLE                ENTRIES  STATE
  1   10.0.0.1:8088           voter                  1000  well
  2   10.0.0.2:8088           voter                  1000  leader
  3   10.0.0.3:8088           voter                   400  not heard of
  4   10.0.0.4:8088           voter                     0  lost entries that it had acknowledged: replace it
  5   10.0.0.5:8088           learner for 4            12  it catches up: has 12 of 1000 entries
)");
}

TEST(MemberCommandsTest, ListsMembersAsJson) {
  nlohmann::json json = nlohmann::json::parse(FormatMembers(Sample(), Output::kJson));
  EXPECT_EQ(json["group"], 7);
  EXPECT_EQ(json["highest_id"], 5);
  EXPECT_EQ(json["members"][1]["leader"], true);
  EXPECT_EQ(json["members"][3]["suspect"], true);
  EXPECT_EQ(json["members"][4]["role"], "learner");
  EXPECT_EQ(json["members"][4]["replaces"], 4);
}

}  // namespace
}  // namespace kdb::ctl

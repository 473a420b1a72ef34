#include "pkg/raft/conf_change.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "pkg/base/random.h"

namespace kdb::raft {
namespace {

using Steps = std::vector<ConfChange::Step>;
constexpr auto kVoter = ConfChangeKind::kAddVoter;
constexpr auto kLearner = ConfChangeKind::kAddLearner;
constexpr auto kRemove = ConfChangeKind::kRemove;
constexpr auto kUpdate = ConfChangeKind::kUpdate;

std::string Why(const ConfState& conf, Steps steps) {
  auto changed = Changed(conf, {std::move(steps), ""});
  return changed.ok() ? "ok" : std::string(changed.status().message());
}

ConfState Conf(std::vector<NodeId> voters, std::vector<NodeId> learners = {}) {
  return {std::move(voters), {}, std::move(learners), {}, false};
}

TEST(ConfChangeTest, OneStepIsDirect) {
  EXPECT_EQ(*Changed(Conf({1, 3}), {{{kVoter, 2}}, ""}), Conf({1, 2, 3}));
  EXPECT_EQ(*Changed(Conf({1}, {2}), {{{kVoter, 2}}, ""}), Conf({1, 2}));
  EXPECT_EQ(*Changed(Conf({1, 2}), {{{kLearner, 2}}, ""}), Conf({1}, {2}));
  EXPECT_EQ(*Changed(Conf({1, 2}), {{{kRemove, 2}}, ""}), Conf({1}));
}

TEST(ConfChangeTest, SeveralStepsAreJointUntilLeft) {
  ConfState joint =
      *Changed(Conf({1, 2, 3}, {4}), {{{kVoter, 4}, {kLearner, 3}, {kRemove, 2}}, ""});
  EXPECT_EQ(joint, (ConfState{{1, 4}, {1, 2, 3}, {}, {3}, true}));
  EXPECT_TRUE(IsVoter(joint, 3));
  EXPECT_FALSE(IsLearner(joint, 3));
  EXPECT_EQ(Members(joint), (std::vector<NodeId>{1, 2, 3, 4}));
  EXPECT_EQ(*Changed(joint, {}), Conf({1, 4}, {3}));
}

TEST(ConfChangeTest, AnUpdateLeavesTheConfiguration) {
  EXPECT_EQ(*Changed(Conf({1, 2}, {3}), {{{kUpdate, 2}}, "r"}), Conf({1, 2}, {3}));
  EXPECT_EQ(*Changed(Conf({1, 2}, {3}), {{{kUpdate, 3}}, "r"}), Conf({1, 2}, {3}));
  EXPECT_EQ(Why(Conf({1, 2}, {3}), {{kUpdate, 4}}), "node 4 is no member");
}

TEST(ConfChangeTest, RefusesWhatMakesNoSense) {
  ConfState joint = *Changed(Conf({1, 2}), {{{kVoter, 3}, {kRemove, 2}}, ""});
  EXPECT_EQ(Why(joint, {{kVoter, 4}}), "the configuration is joint");
  EXPECT_EQ(Why(Conf({1}), {}), "the configuration is not joint");
  EXPECT_EQ(Why({}, {{kVoter, 1}}), "the configuration is empty");
  EXPECT_EQ(Why(Conf({1}), {{kVoter, 0}}), "node 0 is no node");
  EXPECT_EQ(Why(Conf({1}, {2}), {{kLearner, 2}}), "node 2 is a learner already");
  EXPECT_EQ(Why(Conf({1}), {{kRemove, 1}}), "no voter would remain");
  EXPECT_EQ(Why(Conf({1}), {{kLearner, 1}}), "no voter would remain");
}

// Any majority before a change meets any majority after it (4.1, 4.3): with one step the voters
// differ by one, in a joint configuration the old half is what was in force, and leaving keeps the
// new half.
TEST(ConfChangeTest, RandomWalkKeepsTheForm) {
  Random random(3);
  ConfState conf = Conf({1, 2, 3});
  int joint = 0;
  for (int i = 0; i < 20000; ++i) {
    Steps steps;
    for (uint64_t n = random.Uniform(4); n > 0; --n) {
      steps.push_back({static_cast<ConfChangeKind>(random.Uniform(4)), 1 + random.Uniform(7)});
    }
    auto next = Changed(conf, {steps, ""});
    if (!next.ok()) continue;
    ASSERT_FALSE(next->voters.empty());
    if (steps.size() > 1) {
      ASSERT_EQ(next->voters_outgoing, conf.voters);
    } else if (steps.empty()) {
      ASSERT_EQ(next->voters, conf.voters);
    } else {
      std::vector<NodeId> difference;
      std::set_symmetric_difference(conf.voters.begin(), conf.voters.end(), next->voters.begin(),
                                    next->voters.end(), std::back_inserter(difference));
      ASSERT_LE(difference.size(), 1u);
    }
    joint += IsJoint(*next);
    conf = *std::move(next);
    ConfState back;
    ASSERT_TRUE(DecodeConfState(EncodeConfState(conf), &back));
    ASSERT_EQ(back, conf);
  }
  EXPECT_GT(joint, 100);
}

}  // namespace
}  // namespace kdb::raft

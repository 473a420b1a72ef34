#include "pkg/raft/quorum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "pkg/base/random.h"

namespace kdb::raft {
namespace {

using Values = std::map<NodeId, uint64_t>;
using Votes = std::map<NodeId, bool>;

std::vector<NodeId> RandomIds(Random& random, size_t most) {
  std::vector<NodeId> ids;
  for (NodeId id = 1; id <= 9; ++id) {
    if (ids.size() < most && random.OneIn(2)) ids.push_back(id);
  }
  return ids;
}

size_t CountAtLeast(const std::vector<NodeId>& ids, const Values& values, uint64_t v) {
  return static_cast<size_t>(
      std::count_if(ids.begin(), ids.end(), [&](NodeId id) { return values.at(id) >= v; }));
}

// From the definition: the largest value that more than half of each non-empty half reached.
uint64_t ReferenceValue(const ConfState& conf, const Values& values) {
  uint64_t best = 0;
  for (uint64_t v = 0; v <= 20; ++v) {
    bool all = true;
    for (const auto* half : {&conf.voters, &conf.voters_outgoing}) {
      all &= half->empty() || 2 * CountAtLeast(*half, values, v) > half->size();
    }
    if (all) best = v;
  }
  return best;
}

// From the definition: won when enough granted, lost when no further answers could win.
VoteResult ReferenceVote(const ConfState& conf, const Votes& votes) {
  bool won = true;
  bool possible = true;
  for (const auto* half : {&conf.voters, &conf.voters_outgoing}) {
    size_t granted = 0;
    size_t open = 0;
    for (NodeId id : *half) {
      auto it = votes.find(id);
      if (it == votes.end()) ++open;
      if (it != votes.end() && it->second) ++granted;
    }
    won &= half->empty() || 2 * granted > half->size();
    possible &= half->empty() || 2 * (granted + open) > half->size();
  }
  if (won) return VoteResult::kWon;
  return possible ? VoteResult::kPending : VoteResult::kLost;
}

TEST(QuorumTest, ValueMatchesTheDefinition) {
  Random random(20140801);
  for (int round = 0; round < 20000; ++round) {
    ConfState conf;
    conf.voters = RandomIds(random, 9);
    if (conf.voters.empty()) continue;
    if (random.OneIn(2)) conf.voters_outgoing = RandomIds(random, 9);
    Values values;
    for (NodeId id = 1; id <= 9; ++id) values[id] = random.Uniform(21);
    ASSERT_EQ(QuorumValue(conf, [&](NodeId id) { return values.at(id); }),
              ReferenceValue(conf, values))
        << "round " << round;
  }
}

TEST(QuorumTest, VoteMatchesTheDefinition) {
  Random random(20140802);
  for (int round = 0; round < 20000; ++round) {
    ConfState conf;
    conf.voters = RandomIds(random, 9);
    if (random.OneIn(2)) conf.voters_outgoing = RandomIds(random, 9);
    Votes votes;
    for (NodeId id = 1; id <= 9; ++id) {
      if (!random.OneIn(3)) votes[id] = random.OneIn(2);
    }
    auto vote = [&](NodeId id) -> std::optional<bool> {
      auto it = votes.find(id);
      return it == votes.end() ? std::nullopt : std::optional<bool>(it->second);
    };
    ASSERT_EQ(QuorumVote(conf, vote), ReferenceVote(conf, votes)) << "round " << round;
  }
}

TEST(QuorumTest, EmptyHalfDecidesNothing) {
  auto five = [](NodeId) -> uint64_t { return 5; };
  EXPECT_EQ(MajorityValue({}, five), ~0ull);
  EXPECT_EQ(QuorumValue({{1}, {}, {}, {}, false}, five), 5u);
  EXPECT_EQ(MajorityVote({}, [](NodeId) { return std::optional<bool>(false); }), VoteResult::kWon);
}

}  // namespace
}  // namespace kdb::raft

// Members that come, go and are replaced, by the keeper of whoever leads.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "pkg/raftnode/not_leader.h"
#include "pkg/testing/raft_cluster.h"

namespace kdb::testing {
namespace {

using raft::NodeId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Servers on empty directories, by address. Told that it is a member, one becomes it.
class Spares final : public raftnode::Newcomers {
 public:
  explicit Spares(RaftCluster& cluster) : cluster_(cluster) {}

  void Add(const std::string& address) {
    servers[address] = {.uuid = "u-" + address, .program = "kdb-kv"};
  }
  absl::StatusOr<raftnode::Newcomer> Identify(const std::string& address) override {
    auto it = servers.find(address);
    if (it == servers.end()) return absl::UnavailableError("connection refused");
    return it->second;
  }
  absl::Status AcceptBirth(const std::string& address,
                           const catalog::BirthCertificate& certificate) override {
    ++told;
    if (deaf) return absl::UnavailableError("connection refused");
    const catalog::Member& self = *certificate.members().rbegin();
    EXPECT_EQ(self.uuid(), servers[address].uuid);
    if (servers[address].cluster_id.empty()) {
      servers[address].cluster_id = certificate.cluster_id();
      // Not here: this is a task of the leader.
      cluster_.loop.After(milliseconds(1), [this, self, certificate] {
        RaftMember& member = cluster_.AddMember(self.id(), certificate);
        member.newcomers = this;
        EXPECT_TRUE(member.Start().ok());
      });
    }
    return absl::OkStatus();
  }

  std::map<std::string, raftnode::Newcomer> servers;
  int told = 0;
  bool deaf = false;

 private:
  RaftCluster& cluster_;
};

class MembersTest : public ::testing::Test {
 protected:
  explicit MembersTest(int members = 3) : cluster_(21, members) {
    for (const catalog::Member& m : cluster_.birth.members()) {
      servers_.servers[m.address()] = {.uuid = m.uuid(), .program = "kdb-kv", .cluster_id = "c1"};
      cluster_.member(m.id()).newcomers = &servers_;
    }
    cluster_.StartAll();
    cluster_.AwaitLeader();
    Propose("first");
  }

  using Keeper = raftnode::MemberKeeper;
  // At the leader, as often as it says that a repeat makes sense.
  absl::StatusOr<NodeId> Call(absl::FunctionRef<void(Keeper&, Keeper::Done)> call) {
    for (int i = 0; i < 20; ++i) {
      auto result = std::make_shared<std::optional<absl::StatusOr<NodeId>>>();
      call(*cluster_.AwaitLeader().keeper,
           [result](absl::StatusOr<NodeId> r) { *result = std::move(r); });
      EXPECT_TRUE(cluster_.loop.RunUntil([&] { return result->has_value(); }, seconds(20)));
      const absl::Status& status = (*result)->status();
      const bool again = absl::IsUnavailable(status) || !raftnode::LeaderOf(status).empty();
      if (!again) return **result;
      cluster_.loop.RunFor(milliseconds(200));
    }
    return absl::UnavailableError("again and again");
  }
  absl::StatusOr<NodeId> Add(const std::string& address) {
    return Call([&](Keeper& k, Keeper::Done done) { k.Add(address, std::move(done)); });
  }
  absl::StatusOr<NodeId> Replace(NodeId id, const std::string& address) {
    return Call([&](Keeper& k, Keeper::Done done) { k.Replace(id, address, std::move(done)); });
  }
  absl::StatusOr<NodeId> Remove(NodeId id) {
    return Call([&](Keeper& k, Keeper::Done done) { k.Remove(id, std::move(done)); });
  }
  absl::StatusOr<NodeId> Update(NodeId id, const std::string& address) {
    return Call([&](Keeper& k, Keeper::Done done) { k.Update(id, address, std::move(done)); });
  }

  raftnode::Membership Members() { return cluster_.AwaitLeader().group.membership(); }
  std::string Text() { return raftnode::Describe(Members()); }
  bool Await(const std::string& text) {
    // After every step of the loop: no waiting in it.
    return cluster_.loop.RunUntil(
        [&] {
          RaftMember* leader = cluster_.leader();
          return leader != nullptr && raftnode::Describe(leader->group.membership()) == text;
        },
        seconds(20));
  }
  std::string WaitsFor(NodeId id) {
    return cluster_.AwaitLeader().keeper->Members()->waits_for[id];
  }
  void Propose(const std::string& value) {
    ASSERT_TRUE(cluster_.Propose(cluster_.AwaitLeader(), value).ok());
  }

  RaftCluster cluster_;
  Spares servers_{cluster_};
};

TEST_F(MembersTest, AServerIsAddedCatchesUpAndVotes) {
  servers_.Add("m4");
  EXPECT_EQ(*Add("m4"), 4u);
  ASSERT_TRUE(Await("voters 1,2,3,4")) << Text();
  ASSERT_TRUE(cluster_.AwaitSameState());
  EXPECT_EQ(cluster_.member(4).machine().values(), std::vector<std::string>{"first"});
  EXPECT_EQ(*Add("m4"), 4u);  // repeated
  // It counts: with two of the four gone nothing commits, with one all does.
  const NodeId leader = cluster_.AwaitLeader().id();
  cluster_.member(leader % 3 + 1).Crash();
  Propose("second");
  EXPECT_EQ(Members().members.at(4).role(), catalog::Member::VOTER);
}

TEST_F(MembersTest, AServerIsToldAgainAndAgainAlsoByTheNextLeader) {
  servers_.Add("m4");
  servers_.deaf = true;
  EXPECT_EQ(*Add("m4"), 4u);
  cluster_.loop.RunFor(seconds(2));
  EXPECT_EQ(Text(), "voters 1,2,3, learner 4");
  EXPECT_THAT(WaitsFor(4), HasSubstr("no certificate yet: connection refused"));
  EXPECT_GE(servers_.told, 3);
  EXPECT_LE(servers_.told, 6);
  const NodeId old = cluster_.AwaitLeader().id();
  cluster_.member(old).Crash();
  cluster_.AwaitLeaderOtherThan(old);
  servers_.deaf = false;
  ASSERT_TRUE(Await("voters 1,2,3,4")) << Text() << WaitsFor(4);
}

TEST_F(MembersTest, ALearnerFarBehindIsNotPromotedBeforeItHasAll) {
  servers_.Add("m4");
  ASSERT_TRUE(Add("m4").ok());
  ASSERT_TRUE(cluster_.loop.RunUntil([&] { return cluster_.size() == 4; }, seconds(5)));
  for (NodeId id : {1, 2, 3}) cluster_.network.CutBoth(id, 4);
  for (int i = 0; i < 20; ++i) Propose("more");
  cluster_.loop.RunFor(seconds(3));
  EXPECT_EQ(Text(), "voters 1,2,3, learner 4");
  EXPECT_THAT(WaitsFor(4), HasSubstr("catches up: has "));
  EXPECT_THAT(WaitsFor(4), HasSubstr("was not heard of lately: start its server on its directory"));
  cluster_.network.Heal();
  ASSERT_TRUE(Await("voters 1,2,3,4"));
}

TEST_F(MembersTest, ADeadMemberIsReplacedInOneStep) {
  const NodeId dead = cluster_.AwaitLeader().id() % 3 + 1;
  cluster_.member(dead).Crash();
  cluster_.loop.RunFor(seconds(2));
  // At its own address, on an empty directory.
  servers_.Add(fmt::format("m{}", dead));
  EXPECT_EQ(*Replace(dead, fmt::format("m{}", dead)), 4u);
  EXPECT_EQ(*Replace(dead, fmt::format("m{}", dead)), 4u);  // repeated while under way
  std::vector<NodeId> voters = {1, 2, 3, 4};
  std::erase(voters, dead);
  ASSERT_TRUE(Await(fmt::format("voters {}", fmt::join(voters, ",")))) << Text();
  EXPECT_EQ(*Replace(dead, fmt::format("m{}", dead)), 4u);  // and after
  Propose("second");
  ASSERT_TRUE(cluster_.AwaitSameState());
  EXPECT_THAT(Remove(dead).status(), absl::OkStatus());
}

TEST_F(MembersTest, TheLeaderIsReplacedBehindATransfer) {
  const NodeId old = cluster_.AwaitLeader().id();
  servers_.Add("m4");
  EXPECT_EQ(*Replace(old, "m4"), 4u);
  std::vector<NodeId> voters = {1, 2, 3, 4};
  std::erase(voters, old);
  ASSERT_TRUE(Await(fmt::format("voters {}", fmt::join(voters, ",")))) << Text();
  EXPECT_FALSE(cluster_.member(old).leads());
  Propose("second");
}

TEST_F(MembersTest, TheLeaderIsRemovedBehindATransfer) {
  const NodeId old = cluster_.AwaitLeader().id();
  EXPECT_EQ(*Remove(old), old);
  EXPECT_EQ(Members().conf.voters.size(), 2u);
  EXPECT_FALSE(cluster_.member(old).leads());
  EXPECT_EQ(*Remove(old), old);  // repeated
  Propose("second");
}

// Without the keeper's transfer, as the thesis has it (4.2.2).
TEST_F(MembersTest, ALeaderThatIsRemovedStepsDownOnceThatIsCommitted) {
  RaftMember& old = cluster_.AwaitLeader();
  std::optional<absl::Status> done;
  old.node().ProposeConfChange({{{raft::ConfChangeKind::kRemove, old.id()}}, ""}, old.term(),
                               [&](const absl::StatusOr<Payload>& r) { done = r.status(); });
  ASSERT_TRUE(cluster_.loop.RunUntil([&] { return done.has_value(); }, seconds(5)));
  EXPECT_TRUE(done->ok()) << *done;
  EXPECT_FALSE(old.leads());
  RaftMember& next = cluster_.AwaitLeaderOtherThan(old.id());
  const raft::Term term = next.term();
  ASSERT_TRUE(cluster_.Propose(next, "second").ok());
  // It does not disturb the others afterwards.
  cluster_.loop.RunFor(seconds(10));
  EXPECT_EQ(cluster_.AwaitLeader().term(), term);
  EXPECT_FALSE(old.leads());
}

TEST_F(MembersTest, AChangeIsLoggedInTheTermOfItsJudgementOrNotAtAll) {
  RaftMember& leader = cluster_.AwaitLeader();
  std::optional<absl::Status> done;
  leader.node().ProposeConfChange({{{raft::ConfChangeKind::kRemove, leader.id() % 3 + 1}}, ""},
                                  leader.term() - 1,
                                  [&](const absl::StatusOr<Payload>& r) { done = r.status(); });
  ASSERT_TRUE(cluster_.loop.RunUntil([&] { return done.has_value(); }, seconds(5)));
  EXPECT_TRUE(absl::IsFailedPrecondition(*done)) << *done;
  EXPECT_EQ(Text(), "voters 1,2,3");
}

TEST_F(MembersTest, OneChangeAtATime) {
  servers_.Add("m4");
  servers_.Add("m5");
  servers_.deaf = true;
  ASSERT_TRUE(Add("m4").ok());
  for (const absl::Status& s :
       {Add("m5").status(), Replace(2, "m5").status(), Remove(2).status()}) {
    EXPECT_THAT(std::string(s.message()), HasSubstr("member 4 of group 1 is being added")) << s;
  }
  EXPECT_TRUE(Remove(4).ok());
  EXPECT_EQ(Text(), "voters 1,2,3");
  EXPECT_EQ(*Add("m5"), 5u);  // 4 is never used again
}

TEST_F(MembersTest, RemovalThatWouldLeaveNoLiveMajorityIsRefused) {
  const NodeId leader = cluster_.AwaitLeader().id();
  const NodeId dead = leader % 3 + 1;
  const NodeId other = dead % 3 + 1;
  cluster_.member(dead).Crash();
  cluster_.loop.RunFor(seconds(2));
  EXPECT_THAT(std::string(Remove(other).status().message()), HasSubstr("without a majority"));
  EXPECT_EQ(Text(), "voters 1,2,3");
  EXPECT_TRUE(Remove(dead).ok());
}

TEST_F(MembersTest, APeerChangesItsAddress) {
  const NodeId other = cluster_.AwaitLeader().id() % 3 + 1;
  servers_.servers["elsewhere"] = servers_.servers[fmt::format("m{}", other)];
  EXPECT_EQ(*Update(other, "elsewhere"), other);
  EXPECT_EQ(Members().members.at(other).address(), "elsewhere");
  EXPECT_EQ(Text(), "voters 1,2,3");
  EXPECT_TRUE(Update(other, "elsewhere").ok());  // repeated
}

TEST_F(MembersTest, CallsUnderWayAreBoundedAndAllAreAnswered) {
  RaftMember& leader = cluster_.AwaitLeader();
  std::map<absl::StatusCode, size_t> codes;
  for (size_t i = 0; i < 40; ++i) {
    leader.keeper->Add("nobody",
                       [&](const absl::StatusOr<NodeId>& r) { ++codes[r.status().code()]; });
  }
  EXPECT_EQ(codes[absl::StatusCode::kResourceExhausted], 40 - Keeper::kMaxCalls);
  leader.Stop();
  EXPECT_EQ(codes[absl::StatusCode::kUnavailable], Keeper::kMaxCalls);
}

TEST_F(MembersTest, AFollowerRefuses) {
  RaftMember& follower = cluster_.member(cluster_.AwaitLeader().id() % 3 + 1);
  absl::Status status;
  follower.keeper->Remove(1, [&](const absl::StatusOr<NodeId>& r) { status = r.status(); });
  ASSERT_TRUE(cluster_.loop.RunUntil([&] { return !status.ok(); }, seconds(5)));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_FALSE(follower.keeper->Members().ok());
}

class SingleMemberTest : public MembersTest {
 protected:
  SingleMemberTest() : MembersTest(1) {}
};

TEST_F(SingleMemberTest, TheLastVoterStays) {
  EXPECT_THAT(std::string(Remove(1).status().message()), HasSubstr("the last voter"));
  servers_.Add("m2");
  ASSERT_TRUE(Add("m2").ok());
  ASSERT_TRUE(Await("voters 1,2"));
  EXPECT_TRUE(Remove(1).ok());
  EXPECT_EQ(Text(), "voters 2");
  Propose("second");
}

}  // namespace
}  // namespace kdb::testing

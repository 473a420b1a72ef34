// RaftNode in clusters: proposals, reads, leadership.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pkg/testing/raft_cluster.h"

namespace kdb::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

raftnode::ProposeDone Into(std::vector<absl::Status>& statuses) {
  return [&statuses](absl::StatusOr<Payload> r) { statuses.push_back(r.status()); };
}

TEST(RaftNodePropose, ResultComesFromTheStateMachineAndAllReplicasAgree) {
  RaftCluster cluster(1, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  EXPECT_EQ(*cluster.Propose(leader, "a"), "1");
  EXPECT_EQ(*cluster.Propose(leader, "b"), "2");
  ASSERT_TRUE(cluster.AwaitSameState());
  for (raft::NodeId id : {1, 2, 3})
    EXPECT_THAT(cluster.member(id).machine().values(), ElementsAre("a", "b"));
}

TEST(RaftNodePropose, SingleMemberLeadsItself) {
  RaftCluster cluster(2, 1);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  EXPECT_EQ(*cluster.Propose(only, "a"), "1");
  only.Crash();
  ASSERT_TRUE(only.Start().ok());
  cluster.AwaitLeader();
  EXPECT_EQ(*cluster.Propose(only, "b"), "2");
}

TEST(RaftNodePropose, OneSyncCarriesWhatArrivedDuringTheLast) {
  RaftCluster cluster(3, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  for (raft::NodeId id : {1, 2, 3})
    cluster.member(id).log_executor->SetLatency(milliseconds(5), milliseconds(5));
  double syncs = leader.Count("kdb_raft_entries_per_fsync");
  double entries = leader.Sum("kdb_raft_entries_per_fsync");
  std::vector<absl::Status> done;
  for (int i = 0; i < 200; ++i) {
    leader.node().Propose(Payload("x"), Into(done));
    cluster.loop.RunFor(milliseconds(1));
  }
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done.size() == 200; }, seconds(5)));
  for (const absl::Status& s : done) EXPECT_TRUE(s.ok()) << s;
  syncs = leader.Count("kdb_raft_entries_per_fsync") - syncs;
  entries = leader.Sum("kdb_raft_entries_per_fsync") - entries;
  EXPECT_EQ(entries, 200);
  // One sync per 5 ms, and one proposal per 1 ms.
  EXPECT_LE(syncs, 50);
}

TEST(RaftNodePropose, BurstIsOneSyncAndOneTaskOfTheRaftRole) {
  RaftCluster cluster(4, 1);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  double syncs = leader.Count("kdb_raft_fsync_seconds");
  std::vector<absl::Status> done;
  for (int i = 0; i < 100; ++i) leader.node().Propose(Payload("x"), Into(done));
  EXPECT_EQ(leader.raft_executor->Backlog(), 1);
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done.size() == 100; }, seconds(5)));
  EXPECT_EQ(leader.Count("kdb_raft_fsync_seconds") - syncs, 1);
}

TEST(RaftNodePropose, FollowerRefusesAndNothingIsApplied) {
  RaftCluster cluster(5, 3);
  cluster.StartAll();
  raft::NodeId leader = cluster.AwaitLeader().id();
  RaftMember& follower = cluster.member(leader % 3 + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(cluster.Propose(follower, "a").status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(cluster.Read(follower)));
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_THAT(cluster.member(leader).machine().values(), IsEmpty());
}

TEST(RaftNodePropose, MailboxIsBoundedAndRefusalsComeLater) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.max_mailbox = 10;
  RaftCluster cluster(6, 1, options);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  std::vector<absl::Status> done;
  for (int i = 0; i < 30; ++i) leader.node().Propose(Payload("x"), Into(done));
  EXPECT_THAT(done, IsEmpty());  // never inside Propose
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done.size() == 30; }, seconds(5)));
  std::map<absl::StatusCode, int> codes;
  for (const absl::Status& s : done) ++codes[s.code()];
  EXPECT_EQ(codes[absl::StatusCode::kOk], 10);
  EXPECT_EQ(codes[absl::StatusCode::kResourceExhausted], 20);
  EXPECT_TRUE(std::none_of(done.begin(), done.end(), raftnode::IsDiskFull));
  EXPECT_TRUE(cluster.Propose(leader, "y").ok());  // places are free again
}

TEST(RaftNodePropose, LostLeadershipAborts) {
  RaftCluster cluster(7, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  for (raft::NodeId id : {1, 2, 3})
    if (id != old.id()) cluster.network.CutBoth(old.id(), id);
  std::vector<absl::Status> done;
  old.node().Propose(Payload("lost"), Into(done));
  RaftMember& next = cluster.AwaitLeaderOtherThan(old.id());
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return !done.empty(); }, seconds(5)));
  EXPECT_TRUE(absl::IsAborted(done[0])) << done[0];
  EXPECT_EQ(*cluster.Propose(next, "kept"), "1");
  cluster.network.Heal();
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_THAT(old.machine().values(), ElementsAre("kept"));
}

TEST(RaftNodePropose, AbortedProposalMayYetBeApplied) {
  RaftCluster cluster(8, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  // The followers get the entry; their answers do not come back.
  for (raft::NodeId id : {1, 2, 3})
    if (id != old.id()) cluster.network.Cut(id, old.id());
  std::vector<absl::Status> done;
  old.node().Propose(Payload("unknown"), Into(done));
  cluster.loop.RunFor(milliseconds(20));
  for (raft::NodeId id : {1, 2, 3})
    if (id != old.id()) cluster.network.CutBoth(id, old.id());
  cluster.AwaitLeaderOtherThan(old.id());
  cluster.network.Heal();
  ASSERT_TRUE(cluster.AwaitSameState());
  ASSERT_THAT(done, SizeIs(1));
  EXPECT_TRUE(absl::IsAborted(done[0])) << done[0];
  EXPECT_THAT(old.machine().values(), ElementsAre("unknown"));
}

TEST(RaftNodePropose, StoppedNodeAnswersWhatIsPending) {
  RaftCluster cluster(9, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  leader.log_executor->Pause();
  leader.apply_executor->Pause();
  std::vector<absl::Status> proposals;
  std::vector<absl::Status> reads;
  leader.node().Propose(Payload("logged"), Into(proposals));
  cluster.loop.RunFor(milliseconds(20));
  leader.node().Propose(Payload("in the mailbox"), Into(proposals));
  leader.node().Read([&](absl::Status s) { reads.push_back(s); });
  leader.Stop();
  ASSERT_THAT(proposals, SizeIs(2));
  for (const absl::Status& s : proposals) EXPECT_TRUE(absl::IsAborted(s)) << s;
  ASSERT_THAT(reads, SizeIs(1));
  EXPECT_TRUE(absl::IsUnavailable(reads[0])) << reads[0];
}

TEST(RaftNodeRead, SeesAllThatWasAcknowledgedBefore) {
  RaftCluster cluster(10, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  leader.apply_executor->SetLatency(milliseconds(1), milliseconds(30));
  for (int i = 0; i < 20; ++i) {
    leader.node().Propose(Payload("x"), [](absl::StatusOr<Payload>) {});
    raft::Index committed = leader.node().Status().commit;
    ASSERT_TRUE(cluster.Read(leader).ok());
    EXPECT_GE(leader.machine().applied().index, committed);
  }
}

TEST(RaftNodeRead, WaitingReadsShareARound) {
  RaftCluster cluster(11, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  double rounds = leader.Count("kdb_raft_reads_per_round");
  int done = 0;
  for (int i = 0; i < 100; ++i) {
    leader.node().Read([&](absl::Status s) { done += s.ok(); });
    cluster.loop.RunFor(std::chrono::microseconds(10));
  }
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done == 100; }, seconds(5)));
  EXPECT_LE(leader.Count("kdb_raft_reads_per_round") - rounds, 20);
}

TEST(RaftNodeRead, LeaderCutOffFromTheMajorityDoesNotAnswer) {
  RaftCluster cluster(12, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  for (raft::NodeId id : {1, 2, 3})
    if (id != old.id()) cluster.network.CutBoth(old.id(), id);
  EXPECT_TRUE(absl::IsFailedPrecondition(cluster.Read(old)));
}

TEST(RaftNodeLeadership, TransferEndsWithTheTargetInCharge) {
  RaftCluster cluster(13, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  raft::NodeId target = old.id() % 3 + 1;
  std::optional<absl::Status> done;
  SimLoop::Duration begin = cluster.loop.Now();
  old.node().TransferLeader(target, [&](absl::Status s) { done = s; });
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done.has_value(); }, seconds(5)));
  EXPECT_TRUE(done->ok()) << *done;
  EXPECT_LT(cluster.loop.Now() - begin, milliseconds(200));
  EXPECT_EQ(cluster.AwaitLeader().id(), target);
}

absl::Status Transfer(RaftCluster& cluster, RaftMember& leader, raft::NodeId target) {
  std::optional<absl::Status> done;
  leader.node().TransferLeader(target, [&](absl::Status s) { done = s; });
  EXPECT_TRUE(cluster.loop.RunUntil([&] { return done.has_value(); }, seconds(5)));
  return done.value_or(absl::UnknownError("not answered"));
}

TEST(RaftNodeLeadership, TransferToAMemberThatJustDiedIsGivenUp) {
  RaftCluster cluster(14, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  raft::NodeId target = leader.id() % 3 + 1;
  cluster.member(target).Crash();
  SimLoop::Duration begin = cluster.loop.Now();
  absl::Status given_up = Transfer(cluster, leader, target);
  EXPECT_TRUE(absl::IsDeadlineExceeded(given_up)) << given_up;
  EXPECT_LE(cluster.loop.Now() - begin, (leader.options.election_ticks + 1) * leader.options.tick);
  EXPECT_TRUE(cluster.Propose(leader, "a").ok());
}

TEST(RaftNodeLeadership, TransferToADeadMemberIsRefused) {
  RaftCluster cluster(19, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  raft::NodeId target = leader.id() % 3 + 1;
  cluster.member(target).Crash();
  cluster.loop.RunFor(2 * leader.options.election_ticks * leader.options.tick);
  absl::Status refused = Transfer(cluster, leader, target);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(refused.message(), HasSubstr("was not heard of lately"));
  EXPECT_TRUE(cluster.Propose(leader, "a").ok());
}

TEST(RaftNodeLeadership, TransferToTheLeaderItselfHasNothingToDo) {
  RaftCluster cluster(20, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  raft::Term term = leader.term();
  EXPECT_TRUE(Transfer(cluster, leader, leader.id()).ok());
  cluster.loop.RunFor(seconds(1));
  EXPECT_TRUE(leader.leads());
  EXPECT_EQ(leader.term(), term);
}

TEST(RaftNodeLeadership, FrozenLeaderComesBackHarmlessly) {
  RaftCluster cluster(15, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  ASSERT_TRUE(cluster.Propose(old, "a").ok());
  old.Freeze();
  RaftMember& next = cluster.AwaitLeaderOtherThan(old.id());
  ASSERT_TRUE(cluster.Propose(next, "b").ok());
  cluster.loop.RunFor(seconds(5));
  raft::Term term = next.term();
  old.Thaw();
  cluster.loop.RunFor(seconds(2));
  EXPECT_TRUE(next.leads());
  EXPECT_EQ(next.term(), term);  // nobody campaigned
  EXPECT_EQ(old.degraded_changes, 0);
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_THAT(old.machine().values(), ElementsAre("a", "b"));
}

TEST(RaftNodeLeadership, FrozenFollowerDoesNotCampaign) {
  RaftCluster cluster(16, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  RaftMember& follower = cluster.member(leader.id() % 3 + 1);
  raft::Term term = leader.term();
  follower.Freeze();
  cluster.loop.RunFor(seconds(5));
  follower.Thaw();
  cluster.loop.RunFor(seconds(2));
  EXPECT_TRUE(leader.leads());
  EXPECT_EQ(leader.term(), term);
  EXPECT_GE(follower.Sum("kdb_raft_late_ticks_total"), 1);
}

TEST(RaftNodeLeadership, LeaderHearsItsPeersClocks) {
  RaftCluster cluster(17, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  cluster.loop.RunFor(seconds(1));
  for (raft::NodeId peer : {leader.id() % 3 + 1, (leader.id() + 1) % 3 + 1})
    EXPECT_THAT(leader.peer_clocks, ::testing::Contains(peer));
}

TEST(RaftNodeMembership, ChangeReachesTheStateMachineWithItsConfiguration) {
  RaftCluster cluster(18, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  raft::ConfChange change;
  change.steps = {{raft::ConfChangeKind::kRemove, leader.id() % 3 + 1}};
  std::optional<absl::Status> done;
  leader.node().ProposeConfChange(change, leader.term(),
                                  [&](absl::StatusOr<Payload> r) { done = r.status(); });
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done.has_value(); }, seconds(5)));
  EXPECT_TRUE(done->ok()) << *done;
  EXPECT_THAT(leader.machine().applied().membership.conf.voters, SizeIs(2));
  cluster.loop.RunFor(leader.options.tick);  // Status() is as of the last one
  EXPECT_EQ(leader.machine().applied().membership.conf, leader.node().Status().conf);
}

}  // namespace
}  // namespace kdb::testing

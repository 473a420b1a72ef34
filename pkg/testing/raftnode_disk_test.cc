// RaftNode on disks that stall, fill up, fail and forget; and its log on disk over time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "pkg/base/check.h"
#include "pkg/base/damage.h"
#include "pkg/testing/raft_cluster.h"

namespace kdb::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

raft::Index LogFirst(RaftMember& member) {
  wal::Recovered found;
  auto log = wal::Wal::Open(member.fs, member.options.wal_dir, member.options.wal, &found);
  KDB_CHECK(log.ok(), "{}", log.status().ToString());
  return found.first_index;
}

void ProposeMany(RaftCluster& cluster, RaftMember& leader, int count, size_t bytes) {
  int done = 0;
  for (int i = 0; i < count; ++i) {
    leader.node().Propose(Payload(std::string(bytes, 'x')),
                          [&done](absl::StatusOr<Payload> r) { done += r.ok(); });
    cluster.loop.RunFor(milliseconds(1));
  }
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return done == count; }, seconds(20)));
}

TEST(RaftNodeDisk, StalledLogGivesUpLeadershipAndRecovers) {
  RaftCluster cluster(21, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  old.log_executor->Pause();
  old.node().Propose(Payload("slow"), [](absl::StatusOr<Payload>) {});
  RaftMember& next = cluster.AwaitLeaderOtherThan(old.id());
  EXPECT_THAT(old.degraded, HasSubstr("log disk"));
  EXPECT_TRUE(old.fatal.ok());
  ASSERT_TRUE(cluster.Propose(next, "b").ok());
  old.log_executor->Resume();
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return old.degraded.empty(); }, seconds(5)));
  ASSERT_TRUE(cluster.AwaitSameState());
  // The followers had the entry of the stalled leader: it was only not counted there.
  EXPECT_THAT(old.machine().values(), ElementsAre("slow", "b"));
}

TEST(RaftNodeDisk, FailedSyncIsFatalAndNothingIsAcknowledged) {
  RaftCluster cluster(22, 1);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  only.fs.faults().Fail(FsOp::kSync, "wal", 0, absl::DataLossError("fdatasync: EIO"), 1000);
  auto result = cluster.Propose(only, "a");
  EXPECT_TRUE(absl::IsAborted(result.status())) << result.status();
  EXPECT_THAT(only.fatal.ToString(), HasSubstr("fdatasync: EIO"));
  auto later = cluster.Propose(only, "b");
  EXPECT_TRUE(absl::IsUnavailable(later.status())) << later.status();
}

TEST(RaftNodeDisk, FatalLeaderFallsSilentAndTheOthersGoOn) {
  RaftCluster cluster(23, 3);
  cluster.StartAll();
  RaftMember& old = cluster.AwaitLeader();
  old.fs.faults().Fail(FsOp::kSync, "wal", 0, absl::DataLossError("fdatasync: EIO"), 1000);
  old.node().Propose(Payload("a"), [](absl::StatusOr<Payload>) {});
  RaftMember& next = cluster.AwaitLeaderOtherThan(old.id());
  EXPECT_FALSE(old.fatal.ok());
  EXPECT_TRUE(cluster.Propose(next, "b").ok());
}

// What is on the disk is this part of it.
void Use(RaftCluster& cluster, RaftMember& member, uint64_t percent) {
  const FileSystem::Space space = *member.fs.DiskSpace(member.options.wal_dir);
  member.fs.SetCapacity((space.total_bytes - space.available_bytes) * 100 / percent);
  cluster.loop.RunFor(seconds(2));
}

TEST(RaftNodeDisk, WarnsThenRefusesGrowthThenTakesItAgain) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.disk.min_free_bytes = 0;
  RaftCluster cluster(33, 1, options);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  Use(cluster, only, 86);
  EXPECT_EQ(only.disk_status.level, raftnode::DiskLevel::kWarn);
  EXPECT_FALSE(only.disk_status.refuses_growth());
  EXPECT_THAT(only.degraded, IsEmpty());
  Use(cluster, only, 93);
  EXPECT_TRUE(only.disk_status.refuses_growth());
  EXPECT_THAT(only.degraded, HasSubstr("93.0 % of the disk used"));
  EXPECT_TRUE(cluster.Propose(only, "a deletion").ok());
  EXPECT_TRUE(cluster.Read(only).ok());
  Use(cluster, only, 91);
  EXPECT_TRUE(only.disk_status.refuses_growth()) << "a disk at the limit would flap";
  Use(cluster, only, 89);
  EXPECT_FALSE(only.disk_status.refuses_growth());
  EXPECT_THAT(only.degraded, IsEmpty());
}

TEST(RaftNodeDisk, AFullMajorityRefusesGrowthAndOneFullFollowerDoesNot) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.disk.min_free_bytes = 0;
  RaftCluster cluster(34, 3, options);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  RaftMember& second = cluster.member(leader.id() % 3 + 1);
  RaftMember& third = cluster.member(second.id() % 3 + 1);
  Use(cluster, second, 93);
  EXPECT_TRUE(second.disk_status.refuses_growth());
  EXPECT_FALSE(leader.disk_status.refuses_growth());
  EXPECT_EQ(leader.Sum("kdb_raft_full_peers"), 1);
  Use(cluster, third, 93);
  EXPECT_TRUE(leader.disk_status.quorum_full);
  EXPECT_THAT(leader.degraded, IsEmpty());
  Use(cluster, second, 80);
  EXPECT_FALSE(leader.disk_status.refuses_growth());
}

TEST(RaftNodeDisk, LowSpaceRefusesProposalsUntilThereIsRoom) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.disk.min_free_bytes = 1 << 20;
  RaftCluster cluster(24, 1, options);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  only.fs.SetCapacity((1 << 20) + 1000);
  cluster.loop.RunFor(seconds(2));
  EXPECT_THAT(only.degraded, HasSubstr("MiB free"));
  auto refused = cluster.Propose(only, "a");
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_TRUE(raftnode::IsDiskFull(refused.status())) << refused.status();
  EXPECT_TRUE(cluster.Read(only).ok());
  only.fs.SetCapacity(1 << 30);
  cluster.loop.RunFor(seconds(2));
  EXPECT_THAT(only.degraded, IsEmpty());
  EXPECT_TRUE(cluster.Propose(only, "b").ok());
}

TEST(RaftNodeDisk, FullLogDiskStopsWritesUntilThereIsRoom) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.disk = {.warn_percent = 101, .full_percent = 101, .min_free_bytes = 0};  // no warning
  RaftCluster cluster(32, 3, options);
  cluster.StartAll();
  ASSERT_TRUE(cluster.Propose(cluster.AwaitLeader(), "a").ok());
  for (raft::NodeId id : {1, 2, 3}) cluster.member(id).fs.SetCapacity(1 << 18);
  int acknowledged = 0;
  for (int i = 0; i < 100; ++i) {
    RaftMember* leader = cluster.leader();
    if (leader == nullptr) break;
    leader->node().Propose(Payload(std::string(10'000, 'x')),
                           [&](absl::StatusOr<Payload> r) { acknowledged += r.ok(); });
    cluster.loop.RunFor(milliseconds(10));
  }
  cluster.loop.RunFor(seconds(5));
  EXPECT_LT(acknowledged, 50);
  for (raft::NodeId id : {1, 2, 3}) EXPECT_TRUE(cluster.member(id).fatal.ok());
  for (raft::NodeId id : {1, 2, 3}) cluster.member(id).fs.SetCapacity(1 << 30);
  ASSERT_TRUE(cluster.Propose(cluster.AwaitLeader(), "b").ok());
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_GE(cluster.member(1).machine().values().size(), acknowledged + 2);
  for (raft::NodeId id : {1, 2, 3}) EXPECT_THAT(cluster.member(id).degraded, IsEmpty());
}

TEST(RaftNodeDisk, FullDiskOfTheStateMachineIsRetried) {
  RaftCluster cluster(25, 1);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  only.machine().set_apply_fault([] { return absl::ResourceExhaustedError("no space"); });
  std::optional<absl::Status> first;
  only.node().Propose(Payload("a"), [&](absl::StatusOr<Payload> r) { first = r.status(); });
  cluster.loop.RunFor(seconds(1));
  EXPECT_THAT(only.degraded, HasSubstr("no space"));
  EXPECT_FALSE(first.has_value());
  EXPECT_TRUE(absl::IsResourceExhausted(cluster.Propose(only, "b").status()));
  only.machine().set_apply_fault(nullptr);
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return first.has_value(); }, seconds(5)));
  EXPECT_TRUE(first->ok());
  cluster.loop.RunFor(milliseconds(1));
  EXPECT_THAT(only.degraded, IsEmpty());
  EXPECT_TRUE(cluster.Propose(only, "c").ok());
  EXPECT_THAT(only.machine().values(), ElementsAre("a", "c"));
}

TEST(RaftNodeDisk, FullDiskAtFlushRefusesProposalsAndIsRetried) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.flush_interval = seconds(1);
  RaftCluster cluster(26, 1, options);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  only.machine().set_flush_fault([] { return absl::ResourceExhaustedError("no space"); });
  ASSERT_TRUE(cluster.Propose(only, "a").ok());
  cluster.loop.RunFor(seconds(3));
  EXPECT_TRUE(absl::IsResourceExhausted(cluster.Propose(only, "b").status()));
  only.machine().set_flush_fault(nullptr);
  cluster.loop.RunFor(seconds(3));
  EXPECT_THAT(only.degraded, IsEmpty());
  EXPECT_THAT(only.disk.values, ElementsAre("a"));
  EXPECT_TRUE(cluster.Propose(only, "c").ok());
}

TEST(RaftNodeDisk, BrokenStateMachineIsFatal) {
  RaftCluster cluster(27, 1);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  only.machine().set_apply_fault([] { return absl::DataLossError("EIO"); });
  only.node().Propose(Payload("a"), [](absl::StatusOr<Payload>) {});
  cluster.loop.RunFor(seconds(1));
  EXPECT_THAT(only.fatal.ToString(), HasSubstr("applying entries"));
}

TEST(RaftNodeLog, IsCutBehindTheFlushAndKeepsATail) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.flush_log_bytes = 1 << 20;
  options.log_keep_bytes = 2 << 20;
  RaftCluster cluster(28, 1, options);
  cluster.StartAll();
  RaftMember& only = cluster.AwaitLeader();
  ProposeMany(cluster, only, 1000, 8 << 10);
  cluster.loop.RunFor(seconds(1));
  EXPECT_GE(only.Sum("kdb_raft_flushes_total"), 6);
  raft::Index applied = only.machine().applied().index;
  only.Stop();
  raft::Index first = LogFirst(only);
  EXPECT_LE(first, only.disk.applied.index + 1);
  EXPECT_LE(first, applied - (2 << 20) / (8 << 10));  // the tail
  EXPECT_GE(first, applied - (5 << 20) / (8 << 10));  // and not much more
  ASSERT_TRUE(only.Start().ok());
  cluster.AwaitLeader();
  EXPECT_THAT(only.machine().values(), SizeIs(1000));
}

TEST(RaftNodeLog, SlowFollowerIsFedFromDisk) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.log_cache_bytes = 64 << 10;
  RaftCluster cluster(29, 3, options);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  RaftMember& follower = cluster.member(leader.id() % 3 + 1);
  follower.Crash();
  ProposeMany(cluster, leader, 1500, 8 << 10);
  ASSERT_TRUE(follower.Start().ok());
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_THAT(follower.machine().values(), SizeIs(1500));
  EXPECT_GE(leader.Sum("kdb_raft_log_disk_reads_total"), 1);
}

TEST(RaftNodeLog, RestartAppliesTheLogBehindTheLastFlush) {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.flush_interval = seconds(3600);
  RaftCluster cluster(30, 3, options);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  ProposeMany(cluster, leader, 300, 20 << 10);
  for (raft::NodeId id : {1, 2, 3}) cluster.member(id).Crash();
  EXPECT_THAT(leader.disk.values, IsEmpty());
  cluster.StartAll();
  cluster.AwaitLeader();
  ASSERT_TRUE(cluster.AwaitSameState());
  EXPECT_THAT(leader.machine().values(), SizeIs(300));
}

// What a damaged directory gets: no start, and a reason.
class RaftNodeRefusal : public ::testing::Test {
 protected:
  RaftNodeRefusal() : cluster_(31, 1) {
    cluster_.StartAll();
    only_ = &cluster_.AwaitLeader();
    for (const char* value : {"a", "b", "c"}) EXPECT_TRUE(cluster_.Propose(*only_, value).ok());
    EXPECT_TRUE(only_->machine().Flush().ok());
    only_->Stop();
  }
  void ExpectRefusal(const std::string& why) {
    absl::Status status = only_->Start();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr(why));
    EXPECT_THAT(status.ToString(), HasSubstr("new member"));
  }

  RaftCluster cluster_;
  RaftMember* only_;
};

TEST_F(RaftNodeRefusal, LogLostAltogether) {
  ASSERT_TRUE(RemoveTree(only_->fs, only_->options.wal_dir).ok());
  ExpectRefusal("all its segments are gone");
  ExpectRefusal("all its segments are gone");  // the first refusal made none
}

// As an empty voter it would vote again in terms that it voted in.
TEST_F(RaftNodeRefusal, LogAndStateLostTogether) {
  ASSERT_TRUE(RemoveTree(only_->fs, only_->options.wal_dir).ok());
  only_->disk = {};
  ExpectRefusal("all its segments are gone");
}

TEST_F(RaftNodeRefusal, StateLostBesideAWholeLogIsFine) {
  only_->disk = {};
  ASSERT_TRUE(only_->Start().ok());
  EXPECT_EQ(*cluster_.Propose(cluster_.AwaitLeader(), "d"), "4");
}

TEST_F(RaftNodeRefusal, LogEndsBelowTheAppliedIndex) {
  only_->disk.applied.index += 10;
  ExpectRefusal("below the applied index 14");
}

TEST_F(RaftNodeRefusal, AppliedWithAnotherTerm) {
  only_->disk.applied.term += 1;
  ExpectRefusal("has term 1 in the log and was applied with term 2");
}

TEST_F(RaftNodeRefusal, StateLostBehindACutLog) {
  {
    wal::Recovered found;
    auto log = wal::Wal::Open(only_->fs, only_->options.wal_dir, only_->options.wal, &found);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->Reset(3, 1, found.hard_state).ok());
  }
  only_->disk = {};
  ExpectRefusal("the state is empty, but the log begins at index 4");
}

TEST(RaftNodeFirstStart, MayBeCutOffAtAnyPoint) {
  bool started = false;
  for (uint64_t stop = 0; !started; ++stop) {
    ASSERT_LT(stop, 100);
    RaftCluster cluster(40 + stop, 1);
    RaftMember& only = cluster.member(1);
    only.fs.faults().StopAfter(stop);
    started = only.Start().ok();
    only.Crash();
    absl::Status again = only.Start();
    ASSERT_TRUE(again.ok()) << "stopped after " << stop << ": " << again;
    only.Crash();
    ASSERT_TRUE(only.Start().ok());
    ASSERT_TRUE(RemoveTree(only.fs, only.options.wal_dir).ok());
    only.Stop();
    EXPECT_TRUE(absl::IsDataLoss(only.Start())) << "stopped after " << stop;
  }
}

TEST_F(RaftNodeRefusal, LogRightBehindTheAppliedEntryIsFine) {
  {
    wal::Recovered found;
    auto log = wal::Wal::Open(only_->fs, only_->options.wal_dir, only_->options.wal, &found);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->Reset(4, 1, found.hard_state).ok());
  }
  ASSERT_TRUE(only_->Start().ok());
  EXPECT_EQ(*cluster_.Propose(cluster_.AwaitLeader(), "d"), "4");
}

// A member's disks, to be put back later.
class Copy {
 public:
  explicit Copy(RaftMember& member) : member_(member), disk_(member.disk) {
    for (const std::string& name : Names()) {
      files_[name] = *ReadFile(member.fs, Path(name));
    }
  }
  void PutBack() {
    for (const std::string& name : Names()) {
      KDB_CHECK(member_.fs.Remove(Path(name)).ok());
    }
    for (const auto& [name, bytes] : files_) {
      KDB_CHECK(WriteFileDurably(member_.fs, Path(name), bytes).ok());
    }
    member_.disk = disk_;
  }

 private:
  const std::string& dir() const { return member_.options.wal_dir; }
  std::vector<std::string> Names() const { return *member_.fs.List(dir()); }
  std::string Path(const std::string& name) const { return dir() + "/" + name; }

  RaftMember& member_;
  const ListDisk disk_;
  std::map<std::string, std::string> files_;
};

TEST(RaftNodeDisk, AnOlderCopyOfAMembersDiskIsFoundOut) {
  RaftCluster cluster(29, 3);
  cluster.StartAll();
  RaftMember& leader = cluster.AwaitLeader();
  RaftMember& follower = cluster.member(leader.id() % 3 + 1);
  ASSERT_TRUE(cluster.Propose(leader, "a").ok());
  ASSERT_TRUE(cluster.AwaitSameState());
  Copy copy(follower);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(cluster.Propose(leader, "b").ok());
  ASSERT_TRUE(cluster.AwaitSameState());
  follower.Crash();
  copy.PutBack();
  ASSERT_TRUE(follower.Start().ok());
  ASSERT_TRUE(cluster.loop.RunUntil([&] { return !follower.fatal.ok(); }, seconds(5)));
  EXPECT_THAT(std::string(follower.fatal.message()), HasSubstr("does not have it"));
  EXPECT_TRUE(IsDamage(follower.fatal));  // which puts it in quarantine
  // The leader knows, and goes on with the other one.
  EXPECT_TRUE(cluster.loop.RunUntil(
      [&] { return leader.Sum("kdb_raft_suspect_peers") == 1 && leader.leads(); }, seconds(5)));
  EXPECT_TRUE(cluster.Propose(leader, "c").ok());
}

}  // namespace
}  // namespace kdb::testing

// RaftNode under everything at once: random partitions, loss, reordering, frozen processes, power
// failures and slow disks, while clients write and read. Each value is unique and proposed once, so
// the histories are easy to judge:
//   an acknowledged value is in the final list exactly once, at the place that was answered;
//   an unacknowledged one at most once, one refused never;
//   a read sees every value that was acknowledged before it began.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>

#include "pkg/testing/raft_cluster.h"

namespace kdb::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FaultRun {
 public:
  explicit FaultRun(uint64_t seed) : random_(seed * 7919), cluster_(seed, 3, Options()) {
    NetworkOptions net;
    net.loss = 0.02;
    net.duplicate = 0.02;
    net.reorder = 0.05;
    cluster_.network.SetOptions(net);
    cluster_.StartAll();
  }

  void Run() {
    for (int step = 0; step < 400; ++step) {
      Client();
      if (random_.OneIn(12)) Fault();
      cluster_.loop.RunFor(milliseconds(random_.Uniform(40)));
    }
    Recover();
    Judge();
  }
  size_t acknowledged() const { return acknowledged_.size(); }
  size_t reads() const { return reads_; }

 private:
  static raftnode::Options Options() {
    raftnode::Options options = RaftCluster::DefaultOptions();
    options.flush_log_bytes = 20'000;
    options.log_keep_bytes = 64 << 20;  // snapshots are not part of this
    options.log_cache_bytes = 4'000;
    return options;
  }

  RaftMember& Any() { return cluster_.member(random_.Uniform(3) + 1); }

  void Client() {
    for (uint64_t n = random_.Uniform(5); n > 0; --n) {
      RaftMember* leader = cluster_.leader();
      RaftMember& at = leader != nullptr && !random_.OneIn(10) ? *leader : Any();
      if (!at.running()) continue;
      if (random_.OneIn(3)) {
        Read(at);
      } else {
        Write(at);
      }
    }
  }

  void Write(RaftMember& at) {
    std::string value = fmt::format("{}:{}", next_++, std::string(random_.Uniform(300), 'v'));
    at.node().Propose(Payload(value), [this, value](absl::StatusOr<Payload> r) {
      if (r.ok()) {
        size_t length = std::stoul(std::string(r->view()));
        acknowledged_.emplace(length, value);
        longest_ = std::max(longest_, length);
      } else if (!absl::IsAborted(r.status())) {
        refused_.insert(value);
      }
    });
  }

  void Read(RaftMember& at) {
    at.node().Read([this, &at, floor = longest_](absl::Status s) {
      if (!s.ok()) return;
      ++reads_;
      EXPECT_GE(at.machine().values().size(), floor) << "a read went back in time";
    });
  }

  void Fault() {
    RaftMember& victim = Any();
    switch (random_.Uniform(9)) {
      case 0:
        cluster_.network.Partition({victim.id()}, {1, 2, 3});
        break;
      case 1:
        cluster_.network.Cut(victim.id(), victim.id() % 3 + 1);
        break;
      case 2:
        victim.Freeze();
        break;
      case 3:
        victim.log_executor->SetLatency(milliseconds(0), milliseconds(random_.Uniform(100)));
        break;
      case 7:
        victim.apply_executor->SetLatency(milliseconds(0), milliseconds(random_.Uniform(300)));
        break;
      case 4:
        if (victim.running()) victim.Stop();
        break;
      case 5:
        for (raft::NodeId id : {1, 2, 3}) CrashIfUp(cluster_.member(id));
        break;
      case 6:
        CrashIfUp(victim);
        break;
      default:
        break;
    }
    if (random_.OneIn(2)) cluster_.network.Heal();
    if (random_.OneIn(2)) Revive();
  }

  void CrashIfUp(RaftMember& member) {
    if (member.running()) member.Crash();
  }

  void Revive() {
    for (raft::NodeId id : {1, 2, 3}) {
      RaftMember& m = cluster_.member(id);
      m.Thaw();
      if (m.running()) continue;
      absl::Status s = m.Start();
      ASSERT_TRUE(s.ok()) << "member " << id << ": " << s;
    }
  }

  void Recover() {
    cluster_.network.Heal();
    cluster_.network.SetOptions({});
    Revive();
    RaftMember& leader = cluster_.AwaitLeader();
    ASSERT_TRUE(cluster_.Propose(leader, "last").ok());
    ASSERT_TRUE(cluster_.AwaitSameState());
  }

  void Judge() {
    const std::vector<std::string>& list = cluster_.member(1).machine().values();
    std::set<std::string> present(list.begin(), list.end());
    EXPECT_EQ(present.size(), list.size()) << "a value was applied twice";
    for (const auto& [length, value] : acknowledged_) {
      ASSERT_LE(length, list.size());
      EXPECT_EQ(list[length - 1], value) << "an acknowledged value is lost or moved";
    }
    for (const std::string& value : refused_)
      EXPECT_FALSE(present.contains(value)) << "a refused value was applied";
    for (raft::NodeId id : {1, 2, 3}) EXPECT_TRUE(cluster_.member(id).fatal.ok());
  }

  Random random_;
  std::multimap<size_t, std::string> acknowledged_;  // by the length that was answered
  std::set<std::string> refused_;
  size_t longest_ = 0;
  uint64_t next_ = 0;
  size_t reads_ = 0;
  RaftCluster cluster_;  // last: its end answers what is pending
};

// KDB_SEED runs one seed; KDB_SEEDS changes how many.
uint64_t EnvOr(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(RaftNodeFaults, HistoriesAreLinearizable) {
  uint64_t first = EnvOr("KDB_SEED", 0);
  uint64_t count = first != 0 ? 1 : EnvOr("KDB_SEEDS", 100);
  uint64_t begin = std::max<uint64_t>(first, 1);
  size_t acknowledged = 0;
  size_t reads = 0;
  for (uint64_t seed = begin; seed < begin + count; ++seed) {
    SCOPED_TRACE(fmt::format("KDB_SEED={}", seed));
    FaultRun run(seed);
    run.Run();
    if (::testing::Test::HasFailure()) return;
    acknowledged += run.acknowledged();
    reads += run.reads();
  }
  // The faults leave room for work, else nothing was tested.
  if (count >= 10) {
    EXPECT_GT(acknowledged / count, 50);
    EXPECT_GT(reads / count, 20);
  }
  fmt::print("{} runs: {} writes acknowledged, {} reads\n", count, acknowledged, reads);
}

}  // namespace
}  // namespace kdb::testing

// Random groups under random faults: messages are lost, duplicated and reordered, nodes crash and
// lose what is not durable, disks are slow, members change. After every step the invariants are
// checked; at the end the faults stop and the group must agree. KDB_SEED=n runs one seed,
// KDB_SEEDS=n the first n.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "pkg/raft/conf_change.h"
#include "pkg/raft/sim_node_test.h"

namespace kdb::raft {
namespace {

constexpr NodeId kNodes = 5;
constexpr int kSteps = 20000;

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), calmness_(1 + 2 * random_.Uniform(5)) {
    Initial initial;
    initial.conf.voters = {1, 2, 3};
    for (NodeId id = 1; id <= kNodes; ++id) {
      // Nodes 4 and 5 join later: they know the founders, and are none.
      nodes_[id] =
          std::make_unique<SimNode>(NodeConfig(id), initial, MemoryLog(), random_.Next(), &group_);
    }
  }

  void Run() {
    for (int i = 0; i < kSteps; ++i) Fault(), RandomStep();
    calm_ = true;
    cut_.clear();
    for (int i = 0; i < 400 && !Agreed(); ++i) CalmRound();
    ASSERT_TRUE(Agreed());
  }

  size_t reads() const { return reads_; }
  size_t conf_changes() const { return conf_changes_; }
  size_t snapshots() const { return snapshots_; }
  Index committed() const { return group_.committed(); }

 private:
  static Config NodeConfig(NodeId id) {
    Config c;
    c.id = id;
    c.election_ticks = 10;
    c.max_append_bytes = 100;
    c.max_inflight_messages = 3;
    c.max_inflight_bytes = 250;
    c.max_applying_bytes = 300;
    return c;
  }

  SimNode& Any() { return *nodes_.at(1 + random_.Uniform(kNodes)); }

  void Send(std::vector<Message> messages) {
    for (Message& m : messages) {
      if (!nodes_.contains(m.to) || cut_.contains(m.from) || cut_.contains(m.to)) continue;
      if (!calm_ && random_.OneIn(20)) continue;
      if (!calm_ && random_.OneIn(20)) network_.push_back(m);
      network_.push_back(std::move(m));
    }
  }

  void Crash(SimNode& n) {
    n.Crash(random_.Next());
    // Its reads are gone with it.
    for (auto it = floors_.begin(); it != floors_.end();) {
      it = it->first.first == n.id() ? floors_.erase(it) : std::next(it);
    }
  }

  bool Every(uint64_t steps) { return random_.OneIn(steps * calmness_); }

  void Fault() {
    if (Every(150)) Crash(Any());
    if (Every(200)) cut_.insert(1 + random_.Uniform(kNodes));
    if (Every(100)) cut_.clear();
    if (Every(100)) Any().raft().SetStalled(random_.OneIn(4));
    if (Every(60)) Any().hold_apply ^= true;
    if (Every(60)) Compact(Any());
    if (Every(60)) SlowReads(Any());
    if (Every(60)) Any().raft().ReportUnreachable(1 + random_.Uniform(kNodes));
    if (Every(300)) network_.clear();
  }

  void Compact(SimNode& n) {
    Index upto = n.Snapshot().index;
    if (upto > n.log().FirstIndex())
      n.Compact(n.log().FirstIndex() + random_.Uniform(upto - n.log().FirstIndex()));
  }

  void SlowReads(SimNode& n) {
    n.log().readable_from = random_.OneIn(2) ? 0 : random_.Uniform(n.log().LastIndex() + 2);
    if (n.log().readable_from == 0) n.raft().EntriesReady();
  }

  void RandomStep() {
    uint64_t dice = random_.Uniform(100);
    if (dice < 4) return Any().raft().Tick();
    if (dice < 8) return Propose(Any());
    if (dice < 11) return Read(Any());
    if (dice < 12) return Transfer(Any());
    if (dice < 14) return ChangeConf(Any());
    if (dice < 33) return Persist(Any());
    if (dice < 60) return Take(Any());
    Deliver();
  }

  void Propose(SimNode& n) {
    std::vector<Payload> data;
    for (uint64_t i = 0; i <= random_.Uniform(3); ++i)
      data.emplace_back(fmt::format("{}", ++proposed_));
    (void)n.raft().Propose(std::move(data));
    n.Observe();
  }

  // A read must see all that any node knew to be committed when it began.
  void Read(SimNode& n) {
    uint64_t context = ++contexts_;
    if (n.raft().ReadIndex(context).ok()) floors_[{n.id(), context}] = MaxCommit();
  }

  Index MaxCommit() const {
    Index commit = 0;
    for (const auto& [id, node] : nodes_) commit = std::max(commit, node->raft().Status().commit);
    return commit;
  }

  void Transfer(SimNode& n) {
    (void)n.raft().TransferLeader(1 + random_.Uniform(kNodes));
    n.Observe();
  }

  void ChangeConf(SimNode& n) {
    ConfChange change;
    for (uint64_t i = random_.Uniform(4); i > 0; --i) {
      change.steps.push_back(
          {static_cast<ConfChangeKind>(random_.Uniform(3)), 1 + random_.Uniform(kNodes)});
    }
    auto next = Changed(n.raft().Status().conf, change);
    // Three voters or more, so that most runs stay live under the faults.
    if (!next.ok() || next->voters.size() < 3) return;
    if (n.raft().ProposeConfChange(change).ok()) ++conf_changes_;
    n.Observe();
  }

  void Persist(SimNode& n) {
    if (n.HasUnpersisted()) Send(n.PersistNext());
  }

  void Take(SimNode& n) {
    if (!n.raft().HasReady()) return;
    Ready r = n.Take();
    Send(std::move(r.messages));
    for (const ReadState& s : r.read_states) FinishRead(n.id(), s);
    for (uint64_t context : r.failed_reads) {
      KDB_CHECK(floors_.erase({n.id(), context}) == 1, "read {} failed twice", context);
    }
    if (r.snapshot.has_value()) InstallFromAny(n, *r.snapshot);
  }

  void FinishRead(NodeId id, const ReadState& s) {
    auto it = floors_.find({id, s.context});
    KDB_CHECK(it != floors_.end(), "node {} answers read {} twice", id, s.context);
    KDB_CHECK(s.index >= it->second, "stale read at node {}: {} of {}", id, s.index, it->second);
    floors_.erase(it);
    ++reads_;
  }

  void InstallFromAny(SimNode& to, const SnapshotMeta& wanted) {
    SimNode& from = Any();
    if (from.id() == to.id() || from.Snapshot().index < wanted.index) return;
    if (to.Install(from.Snapshot())) ++snapshots_;
  }

  void Deliver() {
    if (network_.empty()) return;
    size_t i = calm_ ? 0 : random_.Uniform(std::min<size_t>(network_.size(), 10));
    Message m = std::move(network_[i]);
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(i));
    SimNode& to = *nodes_.at(m.to);
    to.raft().Step(std::move(m));
    to.Observe();
  }

  void CalmRound() {
    for (auto& [id, node] : nodes_) {
      node->hold_apply = false;
      node->Apply();
      node->raft().SetStalled(false);
      node->log().readable_from = 0;
      node->raft().EntriesReady();
      node->raft().Tick();
    }
    for (int i = 0; i < 50; ++i) {
      for (auto& [id, node] : nodes_) {
        Take(*node);
        while (node->HasUnpersisted()) Send(node->PersistNext());
      }
      while (!network_.empty()) Deliver();
    }
  }

  // Every member of the leader's configuration has applied the leader's whole log.
  bool Agreed() {
    for (auto& [id, node] : nodes_) {
      RaftStatus s = node->raft().Status();
      if (s.role != Role::kLeader || s.commit < group_.committed()) continue;
      std::vector<NodeId> members = Members(s.conf);
      return std::all_of(members.begin(), members.end(), [&](NodeId m) {
        RaftStatus other = nodes_.at(m)->raft().Status();
        return other.applied == s.last_index && other.conf == s.conf;
      });
    }
    return false;
  }

  Random random_;
  uint64_t calmness_;  // of the whole run: how rare faults are
  GroupInvariants group_;
  std::map<NodeId, std::unique_ptr<SimNode>> nodes_;
  std::deque<Message> network_;
  std::set<NodeId> cut_;
  bool calm_ = false;
  uint64_t proposed_ = 0;
  uint64_t contexts_ = 0;
  std::map<std::pair<NodeId, uint64_t>, Index> floors_;  // reads under way
  size_t reads_ = 0;
  size_t conf_changes_ = 0;
  size_t snapshots_ = 0;
};

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::stoull(value) : otherwise;
}

TEST(SimulationTest, HoldsItsInvariants) {
  uint64_t one = FromEnvironment("KDB_SEED", 0);
  uint64_t first = std::max<uint64_t>(one, 1);
  uint64_t last = one > 0 ? one : FromEnvironment("KDB_SEEDS", 200);
  size_t reads = 0;
  size_t changes = 0;
  size_t snapshots = 0;
  Index committed = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(fmt::format("KDB_SEED={}", seed));
    // A broken invariant ends the process: the seed must be known then.
    fmt::print(stderr, "\rseed {} ", seed);
    Simulation sim(seed);
    sim.Run();
    if (HasFatalFailure()) return;
    reads += sim.reads();
    changes += sim.conf_changes();
    snapshots += sim.snapshots();
    committed += sim.committed();
  }
  fmt::print(stderr, "\n{} committed, {} reads, {} configuration changes, {} snapshots\n",
             committed, reads, changes, snapshots);
  if (last - first < 100) return;
  // The faults leave room for what is to be tested.
  EXPECT_GT(committed, 5000u);
  EXPECT_GT(reads, 500u);
  EXPECT_GT(changes, 100u);
  EXPECT_GT(snapshots, 20u);
}

}  // namespace
}  // namespace kdb::raft

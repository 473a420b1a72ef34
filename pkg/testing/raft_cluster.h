// Members of one Raft group in one process and one deterministic loop: real drivers and logs over
// memory file systems and a simulated network, with ListMachine on top.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/env/memory_file_system.h"
#include "pkg/obs/metrics.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/member_keeper.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/testing/fake_clock.h"
#include "pkg/testing/list_machine.h"
#include "pkg/testing/sim_loop.h"
#include "pkg/testing/sim_network.h"
#include "pkg/testing/sim_transport.h"

namespace kdb::testing {

// One member; its parts are open to tests, which break them.
class RaftMember : private raftnode::Observer {
 public:
  RaftMember(SimLoop& loop, SimRaftNetwork& network, raft::NodeId id,
             const catalog::BirthCertificate& birth, const raftnode::Options& options);
  ~RaftMember() override;

  absl::Status Start();
  // Clean: the log is marked.
  void Stop();
  // Power failure: what was not synced is gone.
  void Crash();
  bool running() const { return node_ != nullptr; }
  // SIGSTOP and SIGCONT.
  void Freeze();
  void Thaw();

  raft::NodeId id() const { return id_; }
  raftnode::RaftNode& node() { return *node_; }
  ListMachine& machine() { return *machine_; }
  bool leads() const { return node_ != nullptr && role_ == raft::Role::kLeader; }
  raft::Term term() const { return term_; }
  // Of the metric, over all lives.
  double Sum(const std::string& metric) const;
  double Count(const std::string& metric) const;

  MemoryFileSystem fs;
  ListDisk disk;
  FakeClock clock;
  raftnode::Options options;
  std::unique_ptr<SimExecutor> raft_executor;
  std::unique_ptr<SimExecutor> log_executor;
  std::unique_ptr<SimExecutor> apply_executor;
  std::unique_ptr<SimExecutor> background_executor;
  std::unique_ptr<SimExecutor> members_executor;
  obs::Registry metrics;
  raftnode::GroupView group;
  // Who speaks to servers that are no members yet; null: nobody keeps the members. From the next
  // start on.
  raftnode::Newcomers* newcomers = nullptr;
  std::unique_ptr<raftnode::MemberKeeper> keeper;

  // What the observer heard.
  absl::Status fatal;
  std::string degraded;  // empty: not
  int degraded_changes = 0;
  raftnode::DiskStatus disk_status;
  std::vector<raft::NodeId> peer_clocks;

 private:
  void OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) override;
  void OnPeerClock(raft::NodeId peer, int64_t wall_ms) override;
  void OnMembership(const raftnode::Membership& membership) override;
  void OnSnapshotNeeded(std::optional<raft::Index>) override {}
  void OnFatal(const absl::Status& status) override;
  void OnDegraded(bool degraded, const std::string& why) override;
  void OnDisk(const raftnode::DiskStatus& status) override { disk_status = status; }
  void DropTasks();
  std::vector<SimExecutor*> executors() const;

  SimLoop& loop_;
  SimRaftNetwork& network_;
  const raft::NodeId id_;
  const catalog::BirthCertificate birth_;
  const std::unique_ptr<raftnode::Transport> transport_;
  std::unique_ptr<ListMachine> machine_;
  std::unique_ptr<raftnode::RaftNode> node_;
  raft::Role role_ = raft::Role::kFollower;
  raft::Term term_ = 0;
};

class RaftCluster {
 public:
  RaftCluster(uint64_t seed, int members, const raftnode::Options& options = DefaultOptions());

  // Small segments, so that tests see several of them.
  static raftnode::Options DefaultOptions();

  RaftMember& member(raft::NodeId id) { return *members_[id - 1]; }
  // A member that came later: ids are given in order. Not started.
  RaftMember& AddMember(raft::NodeId id, const catalog::BirthCertificate& certificate);
  size_t size() const { return members_.size(); }
  void StartAll();

  // The running leader of the highest term; null when there is none.
  RaftMember* leader();
  // Waits for a leader that the others can do without guessing: it must commit. CHECKs within 20 s.
  RaftMember& AwaitLeader();
  RaftMember& AwaitLeaderOtherThan(raft::NodeId id);

  // Proposes at `member` and waits for the result. DEADLINE_EXCEEDED after 20 s.
  absl::StatusOr<std::string> Propose(RaftMember& member, std::string value);
  absl::Status Read(RaftMember& member);
  // Waits until all running members have applied the same list.
  bool AwaitSameState(SimLoop::Duration limit = std::chrono::seconds(20));

  SimLoop loop;
  SimNetwork network;
  SimRaftNetwork raft_network;
  catalog::BirthCertificate birth;

 private:
  const raftnode::Options options_;
  std::vector<std::unique_ptr<RaftMember>> members_;
};

}  // namespace kdb::testing

// One born member of a shard group: its Raft node, its state, and what a leader does beside
// answering: it stamps log time, expires keys and silent sessions. No gRPC in it: streams
// (command_stream.h) and the simulation call it alike.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/base/periodic.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/shard_state.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/server/hash_check.h"
#include "pkg/server/proposer.h"
#include "proto/catalog.pb.h"

namespace kdb::server {

struct ReplicaOptions {
  raftnode::Options raft;
  kv::ShardOptions shard;
  std::chrono::milliseconds expire_keys_every{100};
  std::chrono::milliseconds session_silence{600'000};  // design 4: at least 10 minutes
  std::chrono::milliseconds check_sessions_every{10'000};
  uint64_t ready_apply_lag = 10'000;  // entries; more is not ready
  HashCheckOptions hash_check;
};

// What a replica stands on; all of it outlives the replica.
struct ReplicaEnvironment {
  FileSystem& fs;
  storage::Engine& engine;
  raftnode::Transport& transport;
  const Clock& clock;
  raftnode::Executors executors;
  std::vector<Executor*> readers;  // at least one
  obs::Registry& metrics;
  obs::Logger logger;
  uint64_t seed;
  // The disk failed for good: the process must end. Called at most once, from any role.
  std::function<void(const absl::Status&)> on_fatal;
  // After every change of role, term or leader; from the raft role, must not block.
  std::function<void()> on_leadership;
  // As raftnode::Observer says.
  std::function<void(std::optional<raft::Index>)> on_snapshot_needed;
};

// Thread-safe.
class Replica final : private raftnode::Observer {
 public:
  // DATA_LOSS: the directory is damaged; the message says what to do.
  static absl::StatusOr<std::unique_ptr<Replica>> Start(const ReplicaOptions& options,
                                                        const catalog::BirthCertificate& birth,
                                                        raft::NodeId self,
                                                        const ReplicaEnvironment& env);
  // Ends after what is running; callbacks that wait get their errors.
  ~Replica() override;

  // OK: an encoded wire::BatchReply, refusals included. ABORTED: leadership was lost, the outcome
  // is not known here.
  using ReplyDone = absl::AnyInvocable<void(absl::StatusOr<Payload>)>;
  void Write(std::string_view batch, ReplyDone done);
  void Read(std::string batch, uint64_t id, ReplyDone done);

  // FAILED_PRECONDITION: not the leader.
  using SessionDone = absl::AnyInvocable<void(absl::StatusOr<kv::OpenedSession>)>;
  void OpenSession(SessionDone done);
  void CloseSession(uint64_t session);

  void OwnSlots(const kv::OwnSlots& own, absl::AnyInvocable<void(absl::Status)> done);
  void TransferLeader(raft::NodeId target, absl::AnyInvocable<void(absl::Status)> done);

  // Before a planned stop; blocks, at most `limit`.
  absl::Status HandOver(std::chrono::milliseconds limit);

  // For what arrives from peers.
  raftnode::RaftNode& node() { return *node_; }
  raftnode::GroupView& group() { return group_; }

  bool leads() const { return leading_.load(std::memory_order_relaxed); }
  raft::RaftStatus RaftStatus() const { return node_->Status(); }
  kv::ShardStats ShardStats() const { return state_->stats(); }
  exec::SlotSet owned() const { return state_->owned(); }
  // Empty when it is not known or it is this node.
  std::string LeaderAddress() const { return group_.LeaderAddress(); }
  // UNAVAILABLE with the reason while this replica should get no traffic.
  absl::Status Ready() const { return group_.Ready(node_->Status(), options_.ready_apply_lag); }
  // For people: why it is not ready, or that its disk fills up; empty: neither.
  std::string Trouble() const;
  // UNAVAILABLE, with how far it has come, until what was committed when the replica started is
  // applied; then OK for good.
  absl::Status Started() const { return group_.Started(node_->Status()); }

 private:
  class ReadToken;
  struct UnderWay;

  Replica(const ReplicaOptions& options, const catalog::BirthCertificate& birth, raft::NodeId self,
          const ReplicaEnvironment& env);
  absl::Status Open(const catalog::BirthCertificate& birth);
  void Follow(const raftnode::Membership& membership);

  void OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) override;
  void OnPeerClock(raft::NodeId peer, int64_t wall_ms) override;
  void OnPeerHash(raft::NodeId peer, const raft::StateHash& hash) override;
  void OnMembership(const raftnode::Membership& membership) override;
  void OnSnapshotNeeded(std::optional<raft::Index> index) override;
  void OnFatal(const absl::Status& status) override;
  void OnDegraded(bool degraded, const std::string& why) override;
  void OnDisk(const raftnode::DiskStatus& disk) override;

  std::string Refusal(std::string_view batch, uint64_t id, const absl::Status& status) const;
  void ExecuteEarly(const std::shared_ptr<UnderWay>& read);
  void OnReadPoint(const std::shared_ptr<UnderWay>& read, const absl::Status& status);
  void FinishRead(const std::shared_ptr<UnderWay>& read);
  // The end, too, when the state cannot be read: what it says then must not be served.
  absl::StatusOr<std::string> ReadState(std::string_view batch, uint64_t id, bool* needs_tick);
  Payload AnswerOf(std::string_view batch, uint64_t id, absl::StatusOr<std::string> reply) const;
  // On one of the readers.
  void PostRead(Task read);
  void ExecuteRead(std::string batch, uint64_t id, ReplyDone done);
  // A key has expired by the clock and log time does not move: the disk is full.
  void ExecuteReadWithoutTick(std::string batch, uint64_t id, ReplyDone done);
  void ExpireKeys();
  void ExpireSessions();
  HashCheck::Links ForHashCheck();

  const ReplicaOptions options_;
  const ReplicaEnvironment env_;
  raftnode::GroupView group_;
  Proposer proposer_;
  HashCheck hash_check_;
  std::unique_ptr<kv::ShardState> state_;
  std::unique_ptr<raftnode::RaftNode> node_;

  std::atomic<bool> leading_ = false;
  std::atomic<bool> failed_ = false;    // on_fatal was called
  std::atomic<bool> no_room_ = false;   // for more data
  std::atomic<bool> expiring_ = false;  // an expiry step is in the log
  std::atomic<size_t> next_reader_ = 0;
  std::atomic<int> early_pause_ = 0;  // reads that are not executed early
  obs::Gauge& clock_skew_;
  obs::Counter& refused_;
  obs::Counter& refused_growth_;
  obs::Histogram& read_latency_;

  Mutex node_mu_;  // held while a read that began inside a callback of the node enters it
  bool stopping_ ABSL_GUARDED_BY(node_mu_) = false;  // node_ may be gone

  mutable Mutex mu_;
  CondVar reads_done_;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  // A leader's: each session's newest batch, and since when it is that. By monotonic time of this
  // leader alone.
  struct SessionActivity {
    uint64_t last = 0;
    Clock::Duration since{};
  };
  std::map<uint64_t, SessionActivity> session_seen_ ABSL_GUARDED_BY(mu_);

  std::unique_ptr<Periodic> expire_keys_;
  std::unique_ptr<Periodic> expire_sessions_;
  std::unique_ptr<Periodic> check_hashes_;
};

}  // namespace kdb::server

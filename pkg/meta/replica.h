// This server's member of the meta group, as calls use it: propose and wait, read barrier, who
// leads. It is there before the Raft node is: a passive server answers UNAVAILABLE.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/meta/state_hub.h"
#include "pkg/raftnode/raft_node.h"
#include "proto/meta_log.pb.h"

namespace kdb::meta {

// FAILED_PRECONDITION with the leader's address for LeaderOf; UNAVAILABLE when no leader is known.
absl::Status NotLeader(const std::string& leader_address);
// The address in an error of NotLeader; empty in others.
std::string LeaderOf(const absl::Status& status);

// Thread-safe.
class Replica {
 public:
  struct Leadership {
    raft::Role role = raft::Role::kFollower;
    raft::Term term = 0;
    raft::NodeId leader = raft::kNoNode;
  };

  explicit Replica(StateHub& hub) : hub_(hub) {}

  // From now on calls go to `node`, until Detach.
  void Attach(raftnode::RaftNode* node, raft::NodeId self, std::vector<catalog::Member> members);
  // Waits for calls that use the node at this moment.
  void Detach();
  // The raft role's word (raftnode::Observer::OnLeadership).
  void SetLeadership(const Leadership& leadership);

  Leadership leadership() const;
  bool IsLeader() const { return leadership().role == raft::Role::kLeader; }
  raft::NodeId self() const;
  bool attached() const;
  // OK on the leader, else NotLeader.
  absl::Status CheckLeader() const;
  absl::StatusOr<raft::RaftStatus> Status() const;

  // These block until `deadline` at most. UNAVAILABLE: the outcome is not known, commands may be
  // repeated.

  // The catalog's version behind the command, or the command's refusal; else NotLeader,
  // UNAVAILABLE, RESOURCE_EXHAUSTED.
  absl::StatusOr<uint64_t> Propose(const metalog::Command& command, SteadyTime deadline);
  // OK: the hub's state has all that was committed before the call.
  absl::Status Barrier(SteadyTime deadline);
  absl::Status TransferLeader(raft::NodeId target, SteadyTime deadline);
  void Deliver(std::vector<raft::Message> messages);
  void ReportUnreachable(raft::NodeId peer);

 private:
  // Runs `use`, which must not block, on the node and holds Detach back meanwhile.
  absl::Status With(absl::FunctionRef<void(raftnode::RaftNode&)> use) const;

  absl::Status NotLeaderLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  StateHub& hub_;
  mutable Mutex mu_;
  mutable CondVar unused_;
  raftnode::RaftNode* node_ ABSL_GUARDED_BY(mu_) = nullptr;
  mutable int uses_ ABSL_GUARDED_BY(mu_) = 0;
  raft::NodeId self_ ABSL_GUARDED_BY(mu_) = raft::kNoNode;
  std::vector<catalog::Member> members_ ABSL_GUARDED_BY(mu_);
  Leadership leadership_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::meta

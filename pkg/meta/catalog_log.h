// The meta group's log as calls use it: propose and wait, read barrier, who leads. It is there
// before this server's Raft node is: a passive server answers UNAVAILABLE.
#pragma once

#include <chrono>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/meta/state_hub.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/raft_node.h"
#include "proto/meta_log.pb.h"

namespace kdb::meta {

// Thread-safe.
class CatalogLog {
 public:
  using Leadership = raftnode::GroupView::Leadership;

  // From now on calls go to `node`, until Detach.
  void Attach(const raftnode::GroupView* group, raftnode::RaftNode* node);
  // Waits for calls that use the node at this moment.
  void Detach();

  Leadership leadership() const;
  bool IsLeader() const { return leadership().role == raft::Role::kLeader; }
  raft::NodeId self() const;
  // OK on the leader, else raftnode::NotLeader.
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

 private:
  // Runs `use`, which must not block, on the node and holds Detach back meanwhile.
  absl::Status With(absl::FunctionRef<void(raftnode::RaftNode&)> use) const;

  absl::Status NotLeaderLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  mutable CondVar unused_;
  // Both or none.
  const raftnode::GroupView* group_ ABSL_GUARDED_BY(mu_) = nullptr;
  raftnode::RaftNode* node_ ABSL_GUARDED_BY(mu_) = nullptr;
  mutable int uses_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace kdb::meta

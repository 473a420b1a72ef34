// Gives every entry its log time and hands it to Raft in that order.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/log_clock.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::server {

// Thread-safe.
class Proposer {
 public:
  explicit Proposer(const Clock& clock) : log_clock_(clock) {}

  // Before the first Propose; nullptr before the node goes: later proposals are UNAVAILABLE. As
  // RaftNode::Propose; also UNAVAILABLE while a new leader does not know a majority's clocks.
  void SetNode(raftnode::RaftNode* node);
  void Propose(kv::EntryKind kind, std::string_view body, raftnode::ProposeDone done);

  // Whose clocks make log time, from now on.
  void SetVoters(const std::vector<raft::NodeId>& voters);
  // This node became leader of a group whose state stands at `applied_ms`.
  void StartLeading(int64_t applied_ms);
  void StopLeading();
  void OnPeerClock(raft::NodeId peer, int64_t wall_ms);
  // Whether NowMs is the group's time: it lags until a new leader knows a majority's clocks.
  bool Synced();
  // Log time as a leader knows it now.
  int64_t NowMs();
  int64_t SkewMs();

 private:
  Mutex mu_;
  kv::LogClock log_clock_ ABSL_GUARDED_BY(mu_);
  raftnode::RaftNode* node_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::vector<raft::NodeId> voters_ ABSL_GUARDED_BY(mu_);
  bool leads_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kdb::server

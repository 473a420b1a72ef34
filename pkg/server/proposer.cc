#include "pkg/server/proposer.h"

#include <utility>

namespace kdb::server {

void Proposer::SetNode(raftnode::RaftNode* node) {
  MutexLock lock(mu_);
  node_ = node;
}

void Proposer::Propose(kv::EntryKind kind, std::string_view body, raftnode::ProposeDone done) {
  // The lock spans stamp and hand-over (a queue insert, no I/O): stamps must not decrease along the
  // log.
  {
    MutexLock lock(mu_);
    if (node_ != nullptr && (!leads_ || log_clock_.Synced())) {
      // Raft may be leader already when this object is not: such an entry does not move log time.
      int64_t stamp = leads_ ? log_clock_.Now() : 0;
      return node_->Propose(Payload(kv::EncodeEntry(kind, stamp, body)), std::move(done));
    }
  }
  done(absl::UnavailableError("stopping, or this leader does not know the members' clocks yet"));
}

void Proposer::SetVoters(const std::vector<raft::NodeId>& voters) {
  MutexLock lock(mu_);
  voters_ = voters;
  log_clock_.SetVoters(voters);
}

void Proposer::StartLeading(int64_t applied_ms) {
  MutexLock lock(mu_);
  log_clock_.Start(applied_ms, voters_.size());
  log_clock_.SetVoters(voters_);
  leads_ = true;
}

void Proposer::StopLeading() {
  MutexLock lock(mu_);
  leads_ = false;
}

void Proposer::OnPeerClock(raft::NodeId peer, int64_t wall_ms) {
  MutexLock lock(mu_);
  log_clock_.OnPeerClock(peer, wall_ms);
}

bool Proposer::Synced() {
  MutexLock lock(mu_);
  return log_clock_.Synced();
}

int64_t Proposer::NowMs() {
  MutexLock lock(mu_);
  return log_clock_.Now();
}

int64_t Proposer::SkewMs() {
  MutexLock lock(mu_);
  return log_clock_.SkewMs();
}

}  // namespace kdb::server

#include "pkg/raft/raft.h"

#include <utility>

#include "pkg/raft/core.h"
#include "pkg/raft/invariants.h"

namespace kdb::raft {

Raft::Raft(const Config& config, const Initial& initial, LogView& log, Random random)
    : core_(std::make_unique<Core>(config, initial, log, random)) {
#ifndef NDEBUG
  invariants_ = std::make_unique<NodeInvariants>(config);
#endif
  Verify();
}

Raft::~Raft() = default;

void Raft::Verify() {
  if (invariants_ != nullptr) invariants_->Check(core_->Status());
}

void Raft::Tick() {
  core_->Tick();
  Verify();
}

void Raft::Step(Message m) {
  core_->Step(std::move(m));
  Verify();
}

absl::StatusOr<Index> Raft::Propose(std::vector<Payload> data) {
  auto index = core_->Propose(std::move(data));
  Verify();
  return index;
}

absl::StatusOr<Index> Raft::ProposeConfChange(const ConfChange& change) {
  auto index = core_->ProposeConfChange(change);
  Verify();
  return index;
}

ConfState Raft::ApplyConfChange(const ConfChange& change) {
  ConfState conf = core_->ApplyConfChange(change);
  Verify();
  return conf;
}

absl::Status Raft::ReadIndex(uint64_t context) { return core_->ReadIndex(context); }

absl::Status Raft::TransferLeader(NodeId target) {
  absl::Status status = core_->TransferLeader(target);
  Verify();
  return status;
}

void Raft::Campaign() {
  core_->Campaign();
  Verify();
}

void Raft::SetStalled(bool stalled) {
  core_->SetStalled(stalled);
  Verify();
}

bool Raft::HasReady() const { return core_->HasReady(); }

// The driver's LogView lacks the entries until it has added them: nothing to verify against before
// that.
Ready Raft::TakeReady() { return core_->TakeReady(); }

void Raft::Persisted(uint64_t seq) {
  core_->Persisted(seq);
  Verify();
}

void Raft::Applied(Index index) {
  core_->Applied(index);
  Verify();
}

void Raft::EntriesReady() { core_->EntriesReady(); }

void Raft::ReportUnreachable(NodeId peer) {
  core_->ReportUnreachable(peer);
  Verify();
}

void Raft::ReportSnapshot(NodeId peer, Index index, bool ok) {
  core_->ReportSnapshot(peer, index, ok);
  Verify();
}

bool Raft::WantsSnapshot(const SnapshotMeta& snapshot) const {
  return core_->WantsSnapshot(snapshot);
}

void Raft::Restored(const SnapshotMeta& snapshot) {
  core_->Restored(snapshot);
  Verify();
}

RaftStatus Raft::Status() const { return core_->Status(); }
NodeId Raft::leader() const { return core_->leader(); }
Role Raft::role() const { return core_->role(); }
Index Raft::lost() const { return core_->lost(); }
Term Raft::term() const { return core_->term(); }

}  // namespace kdb::raft

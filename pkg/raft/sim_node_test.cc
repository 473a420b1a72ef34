#include "pkg/raft/sim_node_test.h"

#include <utility>

namespace kdb::raft {

SimNode::SimNode(const Config& config, const Initial& initial, MemoryLog log, uint64_t seed,
                 GroupInvariants* group)
    : config_(config),
      group_(*group),
      durable_log_(std::move(log)),
      durable_(initial.hard_state),
      applied_(initial.applied),
      conf_(initial.conf) {
  Start(seed);
}

void SimNode::Start(uint64_t seed) {
  raft_.reset();
  log_ = durable_log_;
  writes_.clear();
  unapplied_.clear();
  raft_ = std::make_unique<Raft>(config_, Initial{durable_, conf_, applied_}, log_, Random(seed));
  Observe();
}

void SimNode::Crash(uint64_t seed) { Start(seed); }

void SimNode::LoseAbove(Index index, uint64_t seed) {
  durable_log_.Truncate(index);
  durable_.commit = std::min(durable_.commit, index);
  KDB_CHECK(applied_ <= index, "such a replica does not start (design 3)");
  Start(seed);
}

Ready SimNode::Take() {
  Ready r = raft_->TakeReady();
  log_.Append(r.entries);
  if (!r.entries.empty()) {
    group_.Appended(*log_.TermAt(r.entries.front().index - 1), r.entries);
  }
  writes_.push_back({r.seq, r.hard_state, r.entries, r.messages_after_persist});
  group_.Committed(id(), raft_->term(), r.committed);
  for (const Entry& e : r.committed) {
    // Committed entries are durable already.
    KDB_CHECK(durable_log_.TermAt(e.index) == e.term, "node {} applies {} before it is durable",
              id(), e.index);
    unapplied_.push_back(e);
  }
  Observe();
  if (!hold_apply) Apply();
  return r;
}

std::vector<Message> SimNode::PersistNext() {
  Write w = std::move(writes_.front());
  writes_.pop_front();
  durable_log_.Append(w.entries);
  if (w.hard_state.has_value()) durable_ = *w.hard_state;
  raft_->Persisted(w.seq);
  Observe();
  return std::move(w.messages);
}

void SimNode::Apply() {
  for (const Entry& e : std::exchange(unapplied_, {})) {
    KDB_CHECK(e.index == applied_ + 1, "node {} applies {} after {}", id(), e.index, applied_);
    if (e.type == EntryType::kConfChange) {
      ConfChange change;
      KDB_CHECK(DecodeConfChange(e.data.view(), &change));
      conf_ = raft_->ApplyConfChange(change);
    }
    applied_ = e.index;
    raft_->Applied(applied_);
  }
  Observe();
}

bool SimNode::Install(const SnapshotMeta& snapshot) {
  if (!raft_->WantsSnapshot(snapshot)) return false;
  // The reset of the log makes the newest hard state durable; what was to be sent after a write is
  // lost.
  for (const Write& w : writes_) {
    if (w.hard_state.has_value()) durable_ = *w.hard_state;
  }
  writes_.clear();
  unapplied_.clear();
  log_.Reset(snapshot.index, snapshot.term);
  durable_log_.Reset(snapshot.index, snapshot.term);
  durable_.commit = applied_ = snapshot.index;
  conf_ = snapshot.conf;
  raft_->Restored(snapshot);
  Observe();
  return true;
}

void SimNode::Observe() {
  group_.Observed(raft_->Status(), [this](Index i) { return log_.TermAt(i); });
}

}  // namespace kdb::raft

#include "pkg/raft/progress.h"

#include <algorithm>

namespace kdb::raft {

Progress::Progress(NodeId id, Index next, const Config& config)
    : id_(id),
      max_messages_(config.max_inflight_messages),
      max_bytes_(config.max_inflight_bytes),
      next_(next) {}

bool Progress::WindowFull() const {
  return window_.count() >= max_messages_ || window_.bytes() >= max_bytes_;
}

bool Progress::MaySendEntries(Index last) const {
  return next_ <= last && (state_ == ProgressState::kProbe || !WindowFull());
}

bool Progress::WantsAppend(Index last) const {
  if (blocked_) return false;
  switch (state_) {
    case ProgressState::kProbe:
      return !paused_;
    case ProgressState::kReplicate:
      return poke_ || MaySendEntries(last);
    case ProgressState::kSnapshot:
      return false;
  }
  return false;
}

void Progress::SentAppend(size_t entries, size_t bytes) {
  poke_ = false;
  Index end = next_ + entries;
  if (state_ == ProgressState::kProbe) {
    paused_ = true;
    return;
  }
  next_ = end;
  if (entries > 0) window_.Add(end - 1, bytes);
}

bool Progress::Acked(Index index, Index first) {
  bool advanced = index > match_;
  if (advanced) match_ = index;
  next_ = std::max(next_, match_ + 1);
  switch (state_) {
    case ProgressState::kProbe:
      // An older acknowledgement says nothing of the probe that is under way.
      if (advanced || index == match_) BecomeReplicate();
      break;
    case ProgressState::kReplicate:
      window_.FreeTo(index);
      break;
    case ProgressState::kSnapshot:
      if (match_ + 1 >= first) BecomeReplicate();
      break;
  }
  return advanced;
}

bool Progress::Rejected(Index rejected, Index hint) {
  // Acknowledged since, or not the probe that is under way: delayed or duplicated.
  if (rejected <= match_) return false;
  if (state_ == ProgressState::kSnapshot) return false;
  if (state_ == ProgressState::kProbe && rejected != next_ - 1) return false;
  BecomeProbe(std::max(std::min(rejected, hint + 1), match_ + 1));
  return true;
}

void Progress::NoteHeard() {
  recent_active = true;
  unreachable = false;
}

void Progress::HeartbeatAcked(uint64_t read_round) {
  NoteHeard();
  read_round_ = std::max(read_round_, read_round);
  paused_ = false;
  if (state_ == ProgressState::kReplicate && match_ + 1 < next_) poke_ = true;
}

void Progress::Suspect(Index durable) {
  suspect_ = true;
  match_ = 0;
  BecomeProbe(std::min(next_, durable + 1));
}

void Progress::Unreachable() {
  unreachable = true;
  if (state_ == ProgressState::kReplicate) BecomeProbe(match_ + 1);
}

void Progress::BecomeProbe(Index next) {
  Enter(ProgressState::kProbe);
  next_ = next;
}

void Progress::BecomeReplicate() {
  Enter(ProgressState::kReplicate);
  next_ = match_ + 1;
}

void Progress::BecomeSnapshot(Index next) {
  Enter(ProgressState::kSnapshot);
  next_ = std::max(next, match_ + 1);
}

void Progress::Enter(ProgressState state) {
  state_ = state;
  paused_ = poke_ = blocked_ = false;
  window_.Clear();
}

void Progress::SetSelf(Index persisted, Index last) {
  state_ = ProgressState::kReplicate;
  recent_active = true;
  match_ = persisted;
  next_ = last + 1;
}

ProgressStatus Progress::Status() const {
  ProgressStatus s;
  s.id = id_;
  s.match = match_;
  s.next = next_;
  s.state = state_;
  s.recent_active = heard_lately();
  s.learner = learner;
  s.inflight_messages = window_.count();
  s.suspect = suspect_;
  return s;
}

}  // namespace kdb::raft

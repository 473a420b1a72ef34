#include "pkg/raft/log.h"

#include <algorithm>

#include "pkg/base/check.h"

namespace kdb::raft {
namespace {

size_t TotalBytes(const std::vector<Entry>& entries) {
  size_t bytes = 0;
  for (const Entry& e : entries) bytes += EntryBytes(e);
  return bytes;
}

}  // namespace

RaftLog::RaftLog(LogView& view, Index applied, Index commit, const Config& config)
    : view_(view),
      max_take_bytes_(config.max_append_bytes),
      max_applying_bytes_(config.max_applying_bytes),
      persisted_(view.LastIndex()),
      commit_(std::max(applied, commit)),  // a commit index alone is not synced, so it may lag
      applied_(applied),
      applying_(applied),
      start_last_(view.LastIndex()) {
  KDB_CHECK(applied + 1 >= view.FirstIndex(), "applied {}, log starts at {}", applied,
            view.FirstIndex());
  KDB_CHECK(commit_ <= view.LastIndex(), "commit {}, log ends at {}", commit_, view.LastIndex());
}

Index RaftLog::ViewEnd() const {
  return pending_.empty() ? view_.LastIndex() + 1 : pending_.front().index;
}

std::optional<Term> RaftLog::TermAt(Index i) const {
  if (i < ViewEnd()) return view_.TermAt(i);
  if (i > last()) return std::nullopt;
  return pending_[i - pending_.front().index].term;
}

bool RaftLog::IsUpToDate(Index index, Term term) const {
  Term mine = last_term();
  return term > mine || (term == mine && index >= last());
}

Index RaftLog::LastAtOrBelow(Index i, Term term) const {
  Index lo = first() - 1;
  if (i <= lo) return i;
  Index hi = std::min(i, last());
  // Terms never decrease along a log.
  while (lo < hi) {
    Index mid = lo + (hi - lo + 1) / 2;
    if (*TermAt(mid) <= term) {
      lo = mid;
    } else {
      hi = mid - 1;
    }
  }
  return lo;
}

absl::StatusOr<std::vector<Entry>> RaftLog::Entries(Index lo, size_t max_bytes) const {
  std::vector<Entry> out;
  size_t bytes = 0;
  Index next = lo;
  if (lo < ViewEnd()) {
    auto read = view_.Entries(lo, ViewEnd(), max_bytes);
    if (!read.ok()) return read;
    out = *std::move(read);
    KDB_CHECK(!out.empty() && out.front().index == lo, "LogView::Entries({})", lo);
    bytes = TotalBytes(out);
    next = lo + out.size();
    if (next < ViewEnd()) return out;
  }
  for (; next <= last(); ++next) {
    const Entry& e = pending_[next - pending_.front().index];
    bytes += EntryBytes(e);
    if (bytes > max_bytes && !out.empty()) break;
    out.push_back(e);
  }
  return out;
}

void RaftLog::Append(Entry entry) {
  KDB_DCHECK(entry.index == last() + 1);
  Push(std::move(entry));
}

void RaftLog::Push(Entry entry) {
  if (entry.type == EntryType::kConfChange) conf_changes_.push_back(entry.index);
  pending_.push_back(std::move(entry));
}

void RaftLog::Merge(std::vector<Entry> entries) {
  size_t known = 0;
  while (known < entries.size() && Matches(entries[known].index, entries[known].term)) ++known;
  if (known == entries.size()) return;
  if (entries[known].index <= last()) Truncate(entries[known].index);
  if (pending_.empty() && known == 0) pending_.reserve(entries.size());
  for (size_t i = known; i < entries.size(); ++i) Push(std::move(entries[i]));
}

void RaftLog::Truncate(Index index) {
  KDB_CHECK(index > commit_, "entry {} is superseded, but {} is committed", index, commit_);
  if (!pending_.empty() && index > pending_.front().index) {
    pending_.erase(pending_.begin() + static_cast<std::ptrdiff_t>(index - pending_.front().index),
                   pending_.end());
  } else {
    pending_.clear();
  }
  for (Write& w : writes_) w.last = std::min(w.last, index - 1);
  persisted_ = std::min(persisted_, index - 1);
  start_last_ = std::min(start_last_, index - 1);
  while (!conf_changes_.empty() && conf_changes_.back() >= index) conf_changes_.pop_back();
}

bool RaftLog::CommitTo(Index index) {
  if (index <= commit_) return false;
  KDB_CHECK(index <= last(), "commit {} beyond the last entry {}", index, last());
  commit_ = index;
  return true;
}

void RaftLog::Restore(Index index) {
  KDB_CHECK(view_.FirstIndex() == index + 1 && view_.LastIndex() == index,
            "snapshot at {}, but the log is [{}, {}]", index, view_.FirstIndex(),
            view_.LastIndex());
  KDB_CHECK(index > commit_, "snapshot at {} would undo the commit at {}", index, commit_);
  pending_.clear();
  writes_.clear();
  conf_changes_.clear();
  applying_window_.Clear();
  apply_blocked_ = false;
  persisted_ = commit_ = applied_ = applying_ = start_last_ = index;
}

bool RaftLog::MayHaveConfChange(Index upto) const {
  if (applied_ < std::min(start_last_, upto)) return true;
  return !conf_changes_.empty() && conf_changes_.front() <= upto;
}

std::vector<Entry> RaftLog::TakePending(uint64_t seq) {
  if (!pending_.empty()) writes_.push_back({seq, pending_.back().index});
  return std::exchange(pending_, {});
}

bool RaftLog::Persisted(uint64_t seq) {
  Index before = persisted_;
  for (; !writes_.empty() && writes_.front().seq <= seq; writes_.pop_front()) {
    persisted_ = std::max(persisted_, writes_.front().last);
  }
  return persisted_ > before;
}

bool RaftLog::HasCommitted() const {
  return !apply_blocked_ && applying_ < std::min(commit_, persisted_) &&
         applying_window_.bytes() < max_applying_bytes_;
}

std::vector<Entry> RaftLog::TakeCommitted() {
  if (!HasCommitted()) return {};
  Index end = std::min(commit_, persisted_) + 1;
  auto read = view_.Entries(applying_ + 1, end, max_take_bytes_);
  if (!read.ok()) {
    apply_blocked_ = true;
    return {};
  }
  KDB_CHECK(!read->empty() && read->front().index == applying_ + 1, "LogView::Entries({}, {})",
            applying_ + 1, end);
  applying_ = read->back().index;
  applying_window_.Add(applying_, TotalBytes(*read));
  return *std::move(read);
}

void RaftLog::Applied(Index index) {
  KDB_CHECK(index <= applying_, "applied {}, but only {} was handed out", index, applying_);
  if (index <= applied_) return;
  applied_ = index;
  applying_window_.FreeTo(index);
  conf_changes_.erase(conf_changes_.begin(),
                      std::upper_bound(conf_changes_.begin(), conf_changes_.end(), index));
}

}  // namespace kdb::raft

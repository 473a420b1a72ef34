#include "pkg/wal/log_index.h"

#include "pkg/base/check.h"

namespace kdb::wal {

void LogIndex::Reset(raft::Index index, raft::Term term) {
  base_index_ = last_index_ = index;
  base_term_ = term;
  entries_.clear();
}

bool LogIndex::Put(raft::Index index, const EntryPosition& position) {
  if (index == 0 || index > last_index_ + 1) return false;
  last_index_ = index;
  if (index <= base_index_) {
    entries_.clear();
    if (index == base_index_) base_term_ = position.term;
    return true;
  }
  entries_.resize(index - base_index_ - 1);
  entries_.push_back(position);
  return true;
}

void LogIndex::CutPrefix(raft::Index index) {
  if (index <= base_index_) return;
  std::optional<raft::Term> term = TermAt(index);
  KDB_CHECK(term.has_value(), "cut at {} behind the last entry {}", index, last_index_);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(index - base_index_));
  base_index_ = index;
  base_term_ = *term;
}

std::optional<raft::Term> LogIndex::TermAt(raft::Index index) const {
  if (index < base_index_ || index > last_index_) return std::nullopt;
  return index == base_index_ ? base_term_ : At(index).term;
}

}  // namespace kdb::wal

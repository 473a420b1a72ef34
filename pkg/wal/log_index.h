// Where each entry of the log stands, in memory: 24 bytes an entry, found in constant time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "pkg/raft/types.h"

namespace kdb::wal {

struct EntryPosition {
  raft::Term term = 0;
  uint32_t segment = 0;
  uint32_t offset = 0;  // of the record
  uint32_t body_bytes = 0;
};
static_assert(sizeof(EntryPosition) <= 24);

// Not thread-safe.
class LogIndex {
 public:
  // An empty log behind entry (index, term).
  void Reset(raft::Index index, raft::Term term);
  // The entry at `index` supersedes all at and above it. False, without effect, when it leaves a
  // gap. Recovery may meet superseded entries at or below base_index: they move last_index, and are
  // not kept.
  bool Put(raft::Index index, const EntryPosition& position);
  // Entries up to `index` (at most last_index) are forgotten.
  void CutPrefix(raft::Index index);

  raft::Index base_index() const { return base_index_; }  // the entry before the first
  raft::Index last_index() const { return last_index_; }
  // Of an entry in [base_index, last_index].
  std::optional<raft::Term> TermAt(raft::Index index) const;
  // `index` is in (base_index, last_index].
  const EntryPosition& At(raft::Index index) const { return entries_[index - base_index_ - 1]; }

 private:
  raft::Index base_index_ = 0;
  raft::Term base_term_ = 0;
  raft::Index last_index_ = 0;
  std::deque<EntryPosition> entries_;  // (base_index, last_index]
};

}  // namespace kdb::wal

// The driver's part of the log in memory, for tests.
#pragma once

#include <algorithm>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/raft/raft.h"

namespace kdb::raft {

class MemoryLog final : public LogView {
 public:
  MemoryLog() = default;
  // Starts behind a snapshot.
  MemoryLog(Index index, Term term) : base_(index), base_term_(term) {}

  Index FirstIndex() const override { return base_ + 1; }
  Index LastIndex() const override { return base_ + entries_.size(); }
  std::optional<Term> TermAt(Index i) const override {
    if (i == base_) return base_term_;
    if (i < base_ || i > LastIndex()) return std::nullopt;
    return entries_[i - base_ - 1].term;
  }
  absl::StatusOr<std::vector<Entry>> Entries(Index lo, Index hi, size_t max_bytes) const override {
    KDB_CHECK(lo > base_ && lo < hi && hi <= LastIndex() + 1, "[{}, {}) of [{}, {}]", lo, hi,
              FirstIndex(), LastIndex());
    if (lo < readable_from) return absl::UnavailableError("being read");
    std::vector<Entry> out;
    size_t bytes = 0;
    for (Index i = lo; i < hi; ++i) {
      bytes += EntryBytes(entries_[i - base_ - 1]);
      if (!out.empty() && bytes > max_bytes) break;
      out.push_back(entries_[i - base_ - 1]);
    }
    return out;
  }

  // entries[0].index supersedes all >= it.
  void Append(const std::vector<Entry>& entries) {
    if (entries.empty()) return;
    KDB_CHECK(entries.front().index > base_ && entries.front().index <= LastIndex() + 1);
    entries_.resize(entries.front().index - base_ - 1);
    entries_.insert(entries_.end(), entries.begin(), entries.end());
  }
  // Cuts entries <= index.
  void Compact(Index index) {
    base_term_ = *TermAt(index);
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(index - base_));
    base_ = index;
  }
  void Truncate(Index last) { entries_.resize(last - base_); }
  void Reset(Index index, Term term) {
    entries_.clear();
    base_ = index;
    base_term_ = term;
  }
  const std::vector<Entry>& entries() const { return entries_; }

  Index readable_from = 0;  // entries below are UNAVAILABLE

 private:
  Index base_ = 0;
  Term base_term_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace kdb::raft

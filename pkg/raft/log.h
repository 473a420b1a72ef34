// Raft's own view of its log: the driver's LogView, the entries not handed out yet, and how far the
// whole is durable, committed and handed to apply.
//
//   first ........ applied .. applying ........ persisted ....... view's last | pending ... last
//                                     commit is anywhere at or above applying
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/raft/raft.h"
#include "pkg/raft/window.h"

namespace kdb::raft {

class RaftLog {
 public:
  // `view` outlives the object; what it holds is durable. CHECKs commit and applied against it.
  RaftLog(LogView& view, Index applied, Index commit, const Config& config);

  Index first() const { return view_.FirstIndex(); }
  Index last() const { return pending_.empty() ? view_.LastIndex() : pending_.back().index; }
  Term last_term() const { return *TermAt(last()); }
  Index persisted() const { return persisted_; }
  Index commit() const { return commit_; }
  Index applied() const { return applied_; }

  // nullopt outside [first - 1, last].
  std::optional<Term> TermAt(Index i) const;
  bool Matches(Index i, Term term) const { return TermAt(i) == term; }
  // A log that ends in (index, term) is at least as up to date as this one (3.6.1).
  bool IsUpToDate(Index index, Term term) const;
  // The largest index <= i, at least first - 1, whose term is <= `term`: where a log in which (i,
  // term) is may agree with this one.
  Index LastAtOrBelow(Index i, Term term) const;
  // From `lo` (in [first, last]) on, at least one, then at most max_bytes. UNAVAILABLE as LogView.
  absl::StatusOr<std::vector<Entry>> Entries(Index lo, size_t max_bytes) const;

  // A leader's: contiguous behind last().
  void Append(Entry entry);
  // A follower's: `entries` follow an entry that matches. What is there already is skipped; what
  // conflicts is dropped with all behind it. CHECKs that nothing committed is.
  void Merge(std::vector<Entry> entries);
  // False: no advance. CHECKs index <= last().
  bool CommitTo(Index index);
  // The state machine and the view start behind (index, its term) now.
  void Restore(Index index);

  // A configuration change is in the log and not applied: certainly in (applied, upto], or perhaps,
  // when it is about entries from before the start.
  bool MayHaveConfChange(Index upto) const;

  bool has_pending() const { return !pending_.empty(); }
  // Hands out the pending entries as those of write `seq`.
  std::vector<Entry> TakePending(uint64_t seq);
  // Writes up to `seq` are durable. True: persisted() advanced.
  bool Persisted(uint64_t seq);

  bool HasCommitted() const;
  // The next entries that are committed and durable, bounded; empty when they are being read from
  // disk.
  std::vector<Entry> TakeCommitted();
  void Applied(Index index);
  void EntriesReady() { apply_blocked_ = false; }

 private:
  struct Write {
    uint64_t seq;
    Index last;
  };

  void Push(Entry entry);
  // Entries >= index are about to be superseded by one pushed next: last() is off until then.
  void Truncate(Index index);
  Index ViewEnd() const;  // one behind the view's last entry that is not superseded

  LogView& view_;
  size_t max_take_bytes_;
  size_t max_applying_bytes_;
  std::vector<Entry> pending_;
  // Writes under way. A truncation lowers their `last`, so that a late notice never covers other
  // entries.
  std::deque<Write> writes_;
  Index persisted_;
  Index commit_;
  Index applied_;
  Index applying_;  // handed out to be applied
  Window applying_window_;
  bool apply_blocked_ = false;
  // Unapplied kConfChange entries appended since the start; those at or below start_last_ are
  // unknown.
  std::vector<Index> conf_changes_;
  Index start_last_;
};

}  // namespace kdb::raft

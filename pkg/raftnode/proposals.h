// Proposals on their way from the caller through the log to their result.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/raftnode/admission.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

struct ConfProposal {
  raft::ConfChange change;
  raft::Term term = 0;  // in which it may be logged
};

struct Proposal {
  Payload data;
  std::unique_ptr<ConfProposal> conf_change;  // instead of data
  ProposeDone done;
  Clock::Duration at{0};
  Admission::Place place;
};

// Who waits for the result of one entry.
struct Waiter {
  raft::Index index = 0;
  raft::Term term = 0;
  ProposeDone done;
  Clock::Duration at{0};
  Admission::Place place;
};

// The waiters of entries that are in the log and not yet handed to apply. Raft role only.
class Proposals {
 public:
  // `proposal` was appended at (index, term); indexes ascend.
  void Add(raft::Index index, raft::Term term, Proposal proposal);

  // The waiter of a committed entry, if it was proposed here. Entries come in log order, so a
  // waiter that is passed over, or whose entry has another term, was overwritten: it gets ABORTED.
  std::optional<Waiter> Take(raft::Index index, raft::Term term);

  // Leadership of `term` is lost: all others get ABORTED, for the next leader may commit them or
  // overwrite them. Returns how many. kNoTerm: all.
  static constexpr raft::Term kNoTerm = 0;
  size_t AbortExcept(raft::Term term, std::string_view why);

  size_t size() const { return waiters_.size(); }

 private:
  std::deque<Waiter> waiters_;
};

}  // namespace kdb::raftnode

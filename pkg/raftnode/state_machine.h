// What a replicated state machine offers to the driver.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/payload.h"
#include "pkg/raft/types.h"
#include "pkg/raftnode/membership.h"

namespace kdb::raftnode {

// How far the durable or applied state has come.
struct AppliedState {
  raft::Index index = 0;
  raft::Term term = 0;
  Membership membership;  // kept with the state, atomically
};

// An entry to apply; `membership` is set for configuration changes: who the members are from it on.
// Shared with the raft role.
struct CommittedEntry {
  raft::Entry entry;
  std::shared_ptr<const Membership> membership;
};

// Called from the apply role only, but for PersistedIndex and Flush, which may run beside Apply on
// another thread.
class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // As of the last Commit, or of the restart.
  virtual AppliedState applied() const = 0;

  // Applies entries in log order and appends one result per entry to `results` (empty for no-ops);
  // a result goes to whoever proposed the entry, perhaps before its effects are visible: reads wait
  // for those. Each entry's effects and the new applied index are atomic. Bad content of an entry
  // is a result, never an error: a non-OK status means that this replica's disk failed, or that the
  // entry is of a newer release (FAILED_PRECONDITION), and the process exits. RESOURCE_EXHAUSTED:
  // nothing of the call was applied, and what was staged before is undone; all of it is applied
  // again later, with the same results, which nobody waits for any more.
  virtual absl::Status Apply(std::span<const CommittedEntry> entries,
                             std::vector<Payload>* results) = 0;
  // Whether Commit has to follow this entry before the next one is applied.
  virtual bool CommitFollows(const raft::Entry&) const { return false; }
  // Whether there are effects of Apply that wait for Commit to become visible.
  virtual bool staged() const { return false; }
  // Makes them visible, those of many calls of Apply at once: a write to an engine costs more than
  // what is in it. Errors as of Apply.
  virtual absl::Status Commit() { return absl::OkStatus(); }

  // The index that a crash now would restart from: the log may be cut up to it.
  virtual absl::StatusOr<raft::Index> PersistedIndex() const = 0;
  // Makes what is applied so far durable.
  virtual absl::Status Flush() = 0;
};

}  // namespace kdb::raftnode

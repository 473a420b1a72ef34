// What the log and the state machine must agree on before a member may vote or serve (design 3).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/state_machine.h"
#include "pkg/wal/wal.h"

namespace kdb::raftnode {

struct StartPoint {
  raft::Initial initial;
  Membership membership;  // as of initial.applied
};

// Where the core starts; `birth`: the members of a group that has applied nothing yet. DATA_LOSS
// when the applied entry is neither in the log nor right before its start: the message says what is
// wrong with `wal_dir` and what to do.
absl::StatusOr<StartPoint> CheckStart(const wal::Wal& log, const wal::Recovered& recovered,
                                      const AppliedState& applied, const Membership& birth,
                                      const std::string& wal_dir);

}  // namespace kdb::raftnode

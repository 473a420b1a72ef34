// Configurations and the steps between them (chapter 4), as pure functions.
#pragma once

#include "absl/status/statusor.h"
#include "pkg/raft/types.h"

namespace kdb::raft {

bool IsJoint(const ConfState& conf);
// In either half of a joint configuration.
bool IsVoter(const ConfState& conf, NodeId id);
// Learner now; one of learners_next still is a voter.
bool IsLearner(const ConfState& conf, NodeId id);
// All voters and learners, sorted.
std::vector<NodeId> Members(const ConfState& conf);

// The configuration after `change`: one step is applied directly, several enter a joint
// configuration that the leader leaves by itself (auto_leave), none leaves it. INVALID_ARGUMENT
// with the reason when the change makes no sense in `conf`. Deterministic: every replica comes to
// the same result for the same log.
absl::StatusOr<ConfState> Changed(const ConfState& conf, const ConfChange& change);

}  // namespace kdb::raft

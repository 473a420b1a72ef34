// Majorities, single and joint (4.3): a joint decision needs the majority of both sets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/functional/function_ref.h"
#include "pkg/raft/types.h"

namespace kdb::raft {

enum class VoteResult : uint8_t { kPending, kWon, kLost };

// The largest value that a majority of `voters` has reached. No voters: the maximum, so that the
// minimum over a configuration with an empty half is that of the other half.
uint64_t MajorityValue(std::span<const NodeId> voters, absl::FunctionRef<uint64_t(NodeId)> value);
// `vote` is nullopt for a voter that has not answered. No voters: won.
VoteResult MajorityVote(std::span<const NodeId> voters,
                        absl::FunctionRef<std::optional<bool>(NodeId)> vote);

// The same over a possibly joint configuration.
uint64_t QuorumValue(const ConfState& conf, absl::FunctionRef<uint64_t(NodeId)> value);
VoteResult QuorumVote(const ConfState& conf, absl::FunctionRef<std::optional<bool>(NodeId)> vote);

}  // namespace kdb::raft

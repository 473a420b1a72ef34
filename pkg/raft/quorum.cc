#include "pkg/raft/quorum.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "absl/container/inlined_vector.h"

namespace kdb::raft {

uint64_t MajorityValue(std::span<const NodeId> voters, absl::FunctionRef<uint64_t(NodeId)> value) {
  if (voters.empty()) return std::numeric_limits<uint64_t>::max();
  absl::InlinedVector<uint64_t, 9> values(voters.size());
  std::transform(voters.begin(), voters.end(), values.begin(), value);
  // The (n/2 + 1)-th largest has been reached by n/2 + 1 voters.
  auto nth = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), nth, values.end(), std::greater<>());
  return *nth;
}

VoteResult MajorityVote(std::span<const NodeId> voters,
                        absl::FunctionRef<std::optional<bool>(NodeId)> vote) {
  if (voters.empty()) return VoteResult::kWon;
  size_t granted = 0;
  size_t rejected = 0;
  for (NodeId id : voters) {
    std::optional<bool> v = vote(id);
    if (v.has_value()) ++(*v ? granted : rejected);
  }
  size_t majority = voters.size() / 2 + 1;
  if (granted >= majority) return VoteResult::kWon;
  return voters.size() - rejected < majority ? VoteResult::kLost : VoteResult::kPending;
}

uint64_t QuorumValue(const ConfState& conf, absl::FunctionRef<uint64_t(NodeId)> value) {
  return std::min(MajorityValue(conf.voters, value), MajorityValue(conf.voters_outgoing, value));
}

VoteResult QuorumVote(const ConfState& conf, absl::FunctionRef<std::optional<bool>(NodeId)> vote) {
  VoteResult incoming = MajorityVote(conf.voters, vote);
  VoteResult outgoing = MajorityVote(conf.voters_outgoing, vote);
  if (incoming == outgoing) return incoming;
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  return VoteResult::kPending;
}

}  // namespace kdb::raft

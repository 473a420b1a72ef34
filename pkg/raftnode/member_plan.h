// What a call that changes a group's members comes to: nothing any more, one entry for the log, or
// a refusal that says what is so and what to do. Pure functions of what the leader knows.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/membership.h"

namespace kdb::raftnode {

inline constexpr size_t kMaxMembers = 15;

// A server as it answers at an address.
struct Newcomer {
  std::string uuid = {};        // of its directory
  std::string program = {};     // "kdb-kv"
  std::string cluster_id = {};  // empty: the directory is no member of anything
  uint64_t gid = 0;
  raft::NodeId member_id = raft::kNoNode;
  std::string follows = {};  // the cluster whose catalog it has; empty: none
};

struct Situation {
  std::string cluster_id;
  uint64_t gid = 0;
  Membership membership;
  raft::RaftStatus status;  // the leader's
};

struct Plan {
  raft::NodeId id = raft::kNoNode;         // of the member that it is about
  std::optional<raft::ConfChange> change;  // none: it is so already
};

// `heard`: what the server at `address` said of itself. NOT_FOUND: no such member.
// FAILED_PRECONDITION: not as things are.
absl::StatusOr<Plan> PlanAdd(const Situation& now, const std::string& address,
                             const absl::StatusOr<Newcomer>& heard);
// The new member takes the place of `id` when it has caught up.
absl::StatusOr<Plan> PlanReplace(const Situation& now, raft::NodeId id, const std::string& address,
                                 const absl::StatusOr<Newcomer>& heard);
absl::StatusOr<Plan> PlanRemove(const Situation& now, raft::NodeId id);
// The member answers at another address.
absl::StatusOr<Plan> PlanUpdate(const Situation& now, raft::NodeId id, const std::string& address,
                                const absl::StatusOr<Newcomer>& heard);
// A learner that has caught up becomes a voter, in the place of whom it replaces.
absl::StatusOr<Plan> PlanPromotion(const Situation& now, raft::NodeId learner);

// The certificate that lets a later member take part.
catalog::BirthCertificate CertificateOf(const catalog::BirthCertificate& birth,
                                        const catalog::Member& member);
// The leader hears of it, and it has not lost what it acknowledged.
bool IsWell(const raft::RaftStatus& status, raft::NodeId id);

}  // namespace kdb::raftnode

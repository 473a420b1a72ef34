// The calls that change the catalog, as they run on the leader: each logs its intent, and then
// waits until the reconciler has carried it out.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/meta/catalog_log.h"
#include "pkg/meta/reconciler.h"
#include "pkg/rpc/admin_client.h"
#include "proto/meta.pb.h"

namespace kdb::meta {

// Thread-safe. Calls block until `deadline` at most and may be repeated: what is so already is OK
// and changes nothing. On a server that does not lead: NotLeader. UNAVAILABLE: not done in time,
// with what it waited for; it goes on.
class Operations {
 public:
  // All references outlive the object.
  Operations(CatalogLog& log, StateHub& hub, Reconciler& reconciler, rpc::AdminClient& admin);

  absl::Status Register(const metapb::RegisterRequest& request, SteadyTime deadline);
  absl::Status Join(const metapb::JoinRequest& request, SteadyTime deadline);
  absl::Status Leave(const metapb::LeaveRequest& request, SteadyTime deadline);
  absl::Status Move(const metapb::MoveRequest& request, SteadyTime deadline);
  absl::Status TransferLeader(const metapb::TransferLeaderRequest& request, SteadyTime deadline);
  // Handed on to the group's leader, with its errors (proto/member.proto).
  absl::Status ChangeMembers(const memberpb::ChangeMembersRequest& request, SteadyTime deadline,
                             memberpb::ChangeMembersReply* reply);
  absl::Status ListMembers(const memberpb::ListMembersRequest& request, SteadyTime deadline,
                           memberpb::ListMembersReply* reply);
  // The catalog's version.
  absl::StatusOr<uint64_t> Report(const metapb::ReportRequest& request, SteadyTime deadline);

 private:
  // The state with all that was decided before the call.
  absl::StatusOr<StatePtr> Fresh(SteadyTime deadline);
  // Asks the servers who they are: ids from 1 in the order of the addresses.
  absl::StatusOr<std::vector<catalog::Member>> Identify(uint64_t gid,
                                                        const std::vector<std::string>& addresses);
  absl::Status RegisterServers(uint64_t gid, const std::vector<std::string>& addresses,
                               SteadyTime deadline);
  absl::Status DecideBirth(uint64_t gid, SteadyTime deadline);
  // Where the group's members are, the one that is said to lead first. NOT_FOUND,
  // FAILED_PRECONDITION: it has none, or is of another cluster.
  absl::StatusOr<std::vector<std::string>> MembersOf(const metalog::State& state,
                                                     const std::string& cluster_id,
                                                     uint64_t gid) const;
  // Waits while this server leads; a time-out says what troubles the group.
  absl::Status WaitForGroup(uint64_t gid, SteadyTime deadline, const char* what,
                            absl::FunctionRef<bool(const metalog::State&)> condition);

  CatalogLog& log_;
  StateHub& hub_;
  Reconciler& reconciler_;
  rpc::AdminClient& admin_;
};

}  // namespace kdb::meta

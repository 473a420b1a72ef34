// How a member sees its group: who the members are and where, who leads, and whether it may get
// traffic itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/obs/log.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/transport.h"
#include "proto/catalog.pb.h"

namespace kdb::raftnode {

// As logs and statuses say it; one who asks whether it may be a candidate is called one.
std::string_view RoleName(raft::Role role);

// The configuration of a group that has applied nothing yet.
raft::ConfState InitialConf(const catalog::BirthCertificate& birth);

// Thread-safe.
class GroupView {
 public:
  struct Leadership {
    raft::Role role = raft::Role::kFollower;
    raft::Term term = 0;
    raft::NodeId leader = raft::kNoNode;
  };

  GroupView(const catalog::BirthCertificate& birth, raft::NodeId self, obs::Logger logger);

  raft::NodeId self() const { return self_; }

  // Members move: an address counts if id and UUID are a known member's.
  void UpdateAddresses(const std::vector<catalog::Member>& members);
  std::vector<Peer> Peers() const;  // this member among them
  std::optional<catalog::Member> Member(raft::NodeId id) const;
  // OK: `id` is a member and this is its directory. FAILED_PRECONDITION says what is not so.
  absl::Status CheckMember(raft::NodeId id, const std::string& uuid) const;

  // As raftnode::Observer tells; logged.
  void SetLeadership(const Leadership& leadership);
  void SetDegraded(bool degraded, const std::string& why);

  Leadership leadership() const;
  // Empty when no leader is known or it is this member: who asks would come back at once.
  std::string LeaderAddress() const;

  // What was committed when the node started; before it, Started is UNAVAILABLE.
  void SetReplayTarget(raft::Index index);
  // UNAVAILABLE, with how far it has come, until the target is applied.
  absl::Status Started(const raft::RaftStatus& status) const;
  // OK: a voter that knows its leader, has applied all but `max_lag` entries of what is committed,
  // and whose disk is well. UNAVAILABLE says what is not so.
  absl::Status Ready(const raft::RaftStatus& status, uint64_t max_lag) const;

 private:
  const raft::NodeId self_;
  const std::string name_;  // of the group, for logs
  const obs::Logger logger_;

  mutable Mutex mu_;
  std::map<raft::NodeId, catalog::Member> members_ ABSL_GUARDED_BY(mu_);
  Leadership leadership_ ABSL_GUARDED_BY(mu_);
  std::string degraded_ ABSL_GUARDED_BY(mu_);  // why; empty: it is not
  std::optional<raft::Index> replay_target_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::raftnode

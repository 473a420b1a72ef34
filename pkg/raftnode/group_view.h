// How a member sees its group: who the members are and where, who leads, and whether it may get
// traffic itself.
#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/obs/log.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/group_room.h"
#include "pkg/raftnode/membership.h"
#include "pkg/raftnode/transport.h"
#include "proto/catalog.pb.h"

namespace kdb::raftnode {

// As logs and statuses say it; one who asks whether it may be a candidate is called one.
std::string_view RoleName(raft::Role role);

// Thread-safe.
class GroupView {
 public:
  struct Leadership {
    raft::Role role = raft::Role::kFollower;
    raft::Term term = 0;
    raft::NodeId leader = raft::kNoNode;
  };

  // Members that say of themselves that they came after those known here; more are refused.
  static constexpr size_t kMaxNewcomers = 16;

  GroupView(const catalog::BirthCertificate& birth, raft::NodeId self, obs::Logger logger);

  raft::NodeId self() const { return self_; }

  // From now on its peers are those known here. `transport` outlives all further calls.
  void Connect(Transport& transport);
  // The group's log says so: Observer::OnMembership, or what the state held at the start.
  void SetMembership(const Membership& membership);
  Membership membership() const;
  // Grows with every SetMembership.
  uint64_t version() const { return version_; }

  std::vector<Peer> Peers() const;  // this member among them
  std::optional<catalog::Member> Member(raft::NodeId id) const;
  // OK: `id` is a member and this is its directory. FAILED_PRECONDITION says what is not so.
  absl::Status CheckMember(raft::NodeId id, const std::string& uuid) const;
  // As CheckMember; but an id above all that were ever used here is that of a member that the part
  // of the log which is here does not know yet. Only a group's leader makes members, so one that
  // names this cluster, group and directory is no stranger; it may be the leader that this member
  // needs to get the rest of the log. It becomes a peer at `address` until the log knows better.
  absl::Status Admit(raft::NodeId id, const std::string& uuid, const std::string& address);

  // As raftnode::Observer tells; logged.
  void SetLeadership(const Leadership& leadership);
  void SetDegraded(bool degraded, const std::string& why);
  void SetDisk(const DiskStatus& disk);

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
  absl::Status CheckMemberLocked(raft::NodeId id, const std::string& uuid) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckNewcomerLocked(raft::NodeId id, const std::string& uuid) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const catalog::Member* FindLocked(raft::NodeId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Peer> PeersLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellTransport();

  const raft::NodeId self_;
  const std::string name_;  // of the group, for logs
  const obs::Logger logger_;
  std::atomic<uint64_t> version_ = 0;

  Mutex transport_mu_;  // before mu_: the newest peers are told last
  Transport* transport_ ABSL_GUARDED_BY(transport_mu_) = nullptr;

  mutable Mutex mu_;
  Membership membership_ ABSL_GUARDED_BY(mu_);
  // Beside the membership, with ids above all of its own: this member while the log has not come to
  // it, and those who said that they are members.
  std::map<raft::NodeId, catalog::Member> newcomers_ ABSL_GUARDED_BY(mu_);
  Leadership leadership_ ABSL_GUARDED_BY(mu_);
  std::string degraded_ ABSL_GUARDED_BY(mu_);  // why; empty: it is not
  std::optional<raft::Index> replay_target_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::raftnode

// How a member sees its group: who the members are and where, who leads, and whether it may get
// traffic itself.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
  // OK: `id` is a member and this is its directory. NOT_FOUND: it was removed, for good.
  // FAILED_PRECONDITION says what is not so.
  absl::Status CheckMember(raft::NodeId id, const std::string& uuid) const;
  // A member as it says itself.
  struct Caller {
    raft::NodeId id = raft::kNoNode;
    std::string uuid;
    std::string address;
    raft::Index members_index = 0;  // of the membership that it knows its address from
  };
  // As CheckMember; but an id above all that were ever used here is that of a member that the part
  // of the log which is here does not know yet. Only a group's leader makes members, so one that
  // names this cluster, group and directory is no stranger; it may be the leader that this member
  // needs to get the rest of the log. It becomes a peer at its address until the log knows better;
  // so does one that has moved, as a newer membership than that here says.
  absl::Status Admit(const Caller& caller);

  // `removed` is called once it is known that this member is one no more, by its own log or by what
  // others say: nothing that it knows gets newer. From any thread; must not block. Set before
  // Connect.
  void OnRemoved(std::function<void(const absl::Status&)> removed);
  // A member that knows more of the log said so.
  void NoteRemoved();

  // As raftnode::Observer tells; logged.
  void SetLeadership(const Leadership& leadership);
  void SetDegraded(bool degraded, const std::string& why);
  void SetDisk(const DiskStatus& disk);
  // What is to be said of the disk; empty: it has room.
  std::string DiskTrouble() const;

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
  // OK, or that this member was removed.
  absl::Status RemovedLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellRemoved();
  absl::Status CheckMemberLocked(raft::NodeId id, const std::string& uuid) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckNewcomerLocked(raft::NodeId id, const std::string& uuid) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // True: a peer is now somewhere else than before.
  absl::StatusOr<bool> AdmitLocked(const Caller& caller) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const catalog::Member* FindLocked(raft::NodeId id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string AddressLocked(const catalog::Member& member) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Peer> PeersLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellTransport();

  const raft::NodeId self_;
  const std::string name_;  // of the group, for logs
  const obs::Logger logger_;
  std::atomic<uint64_t> version_ = 0;

  std::function<void(const absl::Status&)> on_removed_ = [](const absl::Status&) {};

  Mutex transport_mu_;  // before mu_: the newest peers are told last
  Transport* transport_ ABSL_GUARDED_BY(transport_mu_) = nullptr;

  mutable Mutex mu_;
  Membership membership_ ABSL_GUARDED_BY(mu_);
  // Beside the membership, with ids above all of its own: this member while the log has not come to
  // it, and those who said that they are members.
  std::map<raft::NodeId, catalog::Member> newcomers_ ABSL_GUARDED_BY(mu_);
  // Members of the membership that have moved since, by what they said.
  std::map<raft::NodeId, Caller> moved_ ABSL_GUARDED_BY(mu_);
  bool noted_removed_ ABSL_GUARDED_BY(mu_) = false;
  bool told_removed_ ABSL_GUARDED_BY(mu_) = false;  // on_removed_ was called
  Leadership leadership_ ABSL_GUARDED_BY(mu_);
  std::string degraded_ ABSL_GUARDED_BY(mu_);  // why; empty: it is not
  std::string disk_trouble_ ABSL_GUARDED_BY(mu_);
  std::optional<raft::Index> replay_target_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::raftnode

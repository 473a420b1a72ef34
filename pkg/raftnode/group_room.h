// Whether a group has room for more data: a leader learns it from its disk and from the answers of
// the others.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "pkg/raft/types.h"
#include "pkg/raftnode/disk_watch.h"

namespace kdb::raftnode {

// What a member's disk, and its group's, leave to do.
struct DiskStatus {
  DiskLevel level = DiskLevel::kRoom;  // of this member's disk
  // On a leader: so many voters' disks are full that the others are no quorum. One full follower
  // holds nobody up: it stops where its disk ends, and catches up when there is room.
  bool quorum_full = false;
  std::string text;  // of this member's disk, for people

  bool refuses_growth() const { return level >= DiskLevel::kFull || quorum_full; }
};

// As logs say it.
std::string Describe(const DiskStatus& disk);

// Not thread-safe.
class GroupRoom {
 public:
  void SetOwn(DiskLevel level, std::string text);
  void OnAnswer(raft::NodeId peer, bool full);
  // What peers said counts only while this member leads.
  void ForgetPeers() { full_peers_.clear(); }

  // Judges anew; true when level or quorum_full have changed.
  bool Update(raft::NodeId self, const raft::ConfState& conf);
  const DiskStatus& status() const { return status_; }
  size_t full_peers() const { return full_peers_.size(); }

 private:
  std::set<raft::NodeId> full_peers_;
  DiskLevel own_ = DiskLevel::kRoom;
  DiskStatus status_;
};

}  // namespace kdb::raftnode

// A connection of one who fetches to a member that serves: the frame protocol in servers, the
// simulated network in tests.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "proto/raft.pb.h"

namespace kdb::snapshot {

// What a link tells its owner: from any thread, never after the link is destroyed; must not block.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  virtual void OnReply(raftpb::SnapshotReply reply) = 0;
  // The last call: the other side's reason, or what broke.
  virtual void OnBroken(const absl::Status& why) = 0;
};

// Destroying it ends the connection.
class Link {
 public:
  virtual ~Link() = default;
  virtual void Ask(const raftpb::SnapshotRequest& request) = 0;
};

}  // namespace kdb::snapshot

// The way out to the peers: stamps answers with this member's wall clock (design 4).
#pragma once

#include <utility>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/raftnode/transport.h"

namespace kdb::raftnode {

// Thread-safe.
class PeerSender {
 public:
  // Both outlive the object.
  PeerSender(Transport& transport, const Clock& clock) : transport_(transport), clock_(clock) {}

  void Send(std::vector<raft::Message> messages) {
    if (messages.empty()) return;
    int64_t wall_ms = clock_.WallMillis();
    for (raft::Message& m : messages) {
      if (m.type == raft::MessageType::kAppendReply || m.type == raft::MessageType::kHeartbeatReply)
        m.wall_ms = wall_ms;
    }
    transport_.Send(std::move(messages));
  }

 private:
  Transport& transport_;
  const Clock& clock_;
};

}  // namespace kdb::raftnode

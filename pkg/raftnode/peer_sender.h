// The way out to the peers: stamps answers with this member's wall clock (design 4) and whether its
// disk is nearly full.
#pragma once

#include <atomic>
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
      if (!raft::IsAnswer(m.type)) continue;
      m.wall_ms = wall_ms;
      m.disk_full = disk_full_;
    }
    transport_.Send(std::move(messages));
  }
  void SetDiskFull(bool full) { disk_full_ = full; }

 private:
  Transport& transport_;
  const Clock& clock_;
  std::atomic<bool> disk_full_ = false;
};

}  // namespace kdb::raftnode

// The way out to the peers: stamps answers with this member's wall clock (design 4), whether its
// disk is nearly full, and the newest hash of its state.
#pragma once

#include <atomic>
#include <utility>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
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
    raft::StateHash hash = StateHash();
    for (raft::Message& m : messages) {
      if (!raft::IsAnswer(m.type)) continue;
      m.wall_ms = wall_ms;
      m.disk_full = disk_full_;
      m.state_hash = hash;
    }
    transport_.Send(std::move(messages));
  }
  void SetDiskFull(bool full) { disk_full_ = full; }
  void SetStateHash(const raft::StateHash& hash) {
    MutexLock lock(mu_);
    state_hash_ = hash;
  }

 private:
  raft::StateHash StateHash() const {
    MutexLock lock(mu_);
    return state_hash_;
  }

  Transport& transport_;
  const Clock& clock_;
  std::atomic<bool> disk_full_ = false;
  mutable Mutex mu_;
  raft::StateHash state_hash_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::raftnode

// The group's hash check: once in a while all replicas hash their state as of one log entry, the
// leader compares, and the log says what a majority has. A replica that has something else is
// damaged in a way that no checksum shows: it must not serve any more.
//
//   leader    proposes kHashCheck, an entry that changes nothing
//   replicas  apply it, hash a snapshot of that moment in small steps, and send (index, digest)
//             along with their answers
//   leader    proposes kHashVerdict(index, digest) when voters that make a quorum agree
//   replicas  apply it; one whose digest is another reports the damage
//
// The leader is judged like all others. Without a quorum that agrees nobody is: which is right is
// not known.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "pkg/base/clock.h"
#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/kv/digest.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/hash_listener.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raft/raft.h"
#include "pkg/raft/types.h"

namespace kdb::server {

struct HashCheckOptions {
  std::chrono::milliseconds every{3'600'000};  // from one check to the next; 0: none
  uint64_t bytes_per_second = 16 << 20;        // hashed; 0: no limit
};

// Thread-safe.
class HashCheck final : public kv::HashListener {
 public:
  // What it needs of its replica; called from several threads, not after the destructor.
  struct Links {
    // Logs an entry; what becomes of it is told to `done`.
    std::function<void(kv::EntryKind, std::string body, std::function<void(bool)> done)> propose;
    // This replica cannot be read, or differs from the group.
    std::function<void(const absl::Status&)> on_damage;
  };

  // `executor`, a background role, and `clock` outlive it.
  HashCheck(const HashCheckOptions& options, Executor& executor, const Clock& clock,
            obs::Logger logger, obs::Registry& metrics, Links links);
  // Nothing is hashed any more; waits for a step. Not to be called from one of the links.
  void Stop() { role_.Close(); }

  // Apply thread.
  void OnHashPoint(raft::Index index, std::unique_ptr<storage::Snapshot> snapshot) override;
  void OnHashVerdict(const raft::StateHash& verdict) override;

  // Of this replica's state, to be sent along with its answers; index 0: none.
  raft::StateHash Newest();

  // For the leader. What a member's answer carried.
  void OnPeerHash(raft::NodeId peer, const raft::StateHash& hash);
  // Every now and then on a leader: begins a check, or judges the one that is open.
  void Lead(const raft::RaftStatus& status);
  // No longer a leader: the next one begins anew.
  void StopLeading();

 private:
  struct Scan {
    raft::Index index;
    std::unique_ptr<storage::Snapshot> snapshot;
    kv::StateHasher hasher;
  };

  void Step(const std::shared_ptr<Scan>& scan);
  void Finish(const Scan& scan);
  // OK: as the verdict says, as far as both are known. DATA_LOSS: not so.
  absl::Status CompareLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What is to be logged as the verdict; nullopt: not known yet.
  std::optional<raft::StateHash> JudgeLocked(const raft::RaftStatus& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const HashCheckOptions options_;
  const Clock& clock_;
  const obs::Logger logger_;
  const Links links_;
  obs::Counter& agreed_;
  obs::Counter& undecided_;
  obs::Gauge& checked_index_;

  Mutex mu_;
  // Shared with its next step. Only the newest point is hashed: it ends the scan of an older one.
  std::shared_ptr<Scan> scan_ ABSL_GUARDED_BY(mu_);
  raft::StateHash own_ ABSL_GUARDED_BY(mu_);      // the newest
  raft::StateHash verdict_ ABSL_GUARDED_BY(mu_);  // the newest; its point may not be hashed yet
  Clock::Duration last_point_ ABSL_GUARDED_BY(mu_);
  raft::Index judged_ ABSL_GUARDED_BY(mu_) = 0;  // up to this point nothing is left to judge
  // A leader's.
  std::map<raft::NodeId, raft::StateHash> peers_ ABSL_GUARDED_BY(mu_);
  bool proposing_ ABSL_GUARDED_BY(mu_) = false;

  GatedExecutor role_;
};

}  // namespace kdb::server

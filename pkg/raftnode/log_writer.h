// The log role: writes what the core wants durable, all that arrived during one sync with the next
// one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/raft/types.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/peer_sender.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/wal/wal.h"

namespace kdb::raftnode {

// The durable part of a raft::Ready.
struct WriteRequest {
  uint64_t seq = 0;
  std::optional<raft::HardState> hard_state;
  bool must_sync = false;
  std::vector<raft::Entry> entries;
  std::vector<raft::Message> messages;  // to be sent when all of it is durable

  bool empty() const { return !hard_state && entries.empty() && messages.empty(); }
};

// Merges requests in order into one write: entries that a later request supersedes are not written
// at all.
class GroupWrite {
 public:
  void Add(WriteRequest request);

  uint64_t seq = 0;
  std::optional<raft::HardState> hard_state;
  bool must_sync = false;
  std::vector<raft::Entry> entries;
  std::vector<raft::Message> messages;
};

// Methods are called from the raft role unless they say otherwise. A hard state that differs in its
// commit index only is not worth a write of its own: it goes with the next write, or with the mark.
class LogWriter {
 public:
  static constexpr std::chrono::milliseconds kRetryAfter{100};  // on a full disk

  // All outlive the object.
  LogWriter(wal::Wal& log, GatedExecutor& role, PeerSender& sender, RoleEvents& events,
            const Clock& clock, const NodeMetrics& metrics, std::chrono::nanoseconds mark_after);

  // Makes the request durable, then sends its messages, then OnPersisted(seq). True: nothing had to
  // be waited for, it is all done and no OnPersisted follows.
  bool Submit(WriteRequest request);
  // To be called on OnPersisted.
  void Persisted(uint64_t seq);
  // Cuts the log on disk, soon; `index` is durable.
  void CutPrefix(raft::Index index);

  // Since when the oldest of what is submitted has seen no progress; nullopt when nothing waits.
  std::optional<Clock::Duration> WaitingSince() const;
  // The process stood still until now: that was not the disk.
  void ForgiveDelay();

  // With the role closed: writes what was deferred and marks the log. For clean shutdown.
  void MarkCleanly();

 private:
  struct Work {
    bool any = false;
    GroupWrite write;
  };

  // Log role.
  void Run();
  Work TakeWork();
  void DoWork();
  void Cut();
  absl::Status AppendAndSync(const GroupWrite& write);
  void RetryLater(const absl::Status& why);
  void Fail(const absl::Status& status, std::string_view what);
  void ArmMark(std::chrono::nanoseconds delay);
  void MarkIfIdle();
  absl::Status Mark();

  void ScheduleLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  wal::Wal& log_;
  GatedExecutor& role_;
  PeerSender& sender_;
  RoleEvents& events_;
  const Clock& clock_;
  const NodeMetrics& metrics_;
  const std::chrono::nanoseconds mark_after_;

  // Raft role.
  uint64_t submitted_seq_ = 0;
  uint64_t persisted_seq_ = 0;
  Clock::Duration waiting_since_{0};

  Mutex mu_;
  std::deque<WriteRequest> queue_ ABSL_GUARDED_BY(mu_);
  std::optional<raft::HardState> deferred_ ABSL_GUARDED_BY(mu_);
  raft::Index cut_ ABSL_GUARDED_BY(mu_) = 0;  // asked for, not done; 0: none
  bool scheduled_ ABSL_GUARDED_BY(mu_) = false;

  // Log role.
  Work work_;  // under way; kept while the disk is full
  bool full_ = false;
  bool failed_ = false;
  bool mark_armed_ = false;
  bool marked_ = true;  // nothing was written since
  Clock::Duration last_write_{0};
};

}  // namespace kdb::raftnode

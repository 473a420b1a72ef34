// The raft role: feeds the core with what the mailbox holds and carries out what it says, many
// inputs per Ready.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/raftnode/applier.h"
#include "pkg/raftnode/committed_feed.h"
#include "pkg/raftnode/log_cache.h"
#include "pkg/raftnode/log_writer.h"
#include "pkg/raftnode/mailbox.h"
#include "pkg/raftnode/maintenance.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/peer_sender.h"
#include "pkg/raftnode/proposals.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/raftnode/read_queue.h"
#include "pkg/raftnode/role_events.h"
#include "pkg/raftnode/start_check.h"
#include "pkg/raftnode/transfer_tracker.h"

namespace kdb::raftnode {

class Driver final : private RoleEvents {
 public:
  // Borrowed; all outlive the driver.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): Executors is nothing but references
  struct Parts {
    Options options;
    raft::NodeId id = raft::kNoNode;
    FileSystem& fs;
    Executors executors;
    StateMachine& machine;
    Transport& transport;
    Observer& observer;
    const Clock& clock;
    obs::Registry& metrics;
  };
  // `log` is open and agrees with `start`.
  Driver(const Parts& parts, std::unique_ptr<wal::Wal> log, const wal::Recovered& recovered,
         const StartPoint& start, Random random);
  // Stops all roles and answers all that waits.
  ~Driver() override;

  // Thread-safe.
  Mailbox& mailbox() { return mailbox_; }
  Admission& admission() { return admission_; }
  const NodeMetrics& metrics() const { return metrics_; }
  void HoldLog(raft::Index index);
  void TellStateHash(const raft::StateHash& hash) { sender_.SetStateHash(hash); }
  raft::RaftStatus Status() const;

  void Start();

 private:
  // RoleEvents, from any role: posted to this one.
  void OnPersisted(uint64_t seq) override;
  void OnApplied(raft::Index index) override;
  void OnTrouble(Trouble trouble, std::string why) override;
  void OnDiskLevel(DiskLevel level, std::string text) override;
  void OnFlushed(absl::StatusOr<raft::Index> persisted) override;
  void OnFailed(absl::Status status) override;
  void PostEvent(Task event);
  void ReadDisk(const LogCache::DiskRead& request);

  // All below: raft role.
  void Drain();
  void Refuse(Inbox inbox, const absl::Status& why);
  void Step(std::vector<raft::Message> messages);
  void Propose(std::vector<Proposal> proposals);
  void ProposeRun(std::vector<Proposal> run);
  void ProposeConfChange(Proposal proposal);
  absl::Status MayPropose() const;
  void Refuse(Proposal& proposal, const absl::Status& why);

  void ProcessReady();
  void Persist(raft::Ready& ready);
  void NeedSnapshot(raft::Index index);
  void NoteLeadership();

  void Tick();
  void NoteApplied();
  void CheckNothingLost();
  void CheckStall(Clock::Duration now);
  void Cut(raft::Index index);
  void SetTrouble(Trouble trouble, const std::string& why);
  void Fail(const absl::Status& status);
  void FailPending(const absl::Status& proposals, const absl::Status& others);
  void Publish();

  const Options options_;
  const Clock& clock_;
  Observer& observer_;
  const std::unique_ptr<wal::Wal> log_;
  const NodeMetrics metrics_;
  Admission admission_;
  PeerSender sender_;

  GatedExecutor raft_role_;
  GatedExecutor log_role_;
  GatedExecutor apply_role_;
  GatedExecutor background_role_;

  Mailbox mailbox_;
  LogCache cache_;
  LogWriter writer_;
  Applier applier_;
  Maintenance maintenance_;
  raft::Raft raft_;
  Proposals proposals_;
  ReadQueue reads_;
  TransferTracker transfers_;
  raft::Index noted_applied_;  // by the core
  CommittedFeed feed_;

  struct Leadership {
    raft::Role role = raft::Role::kFollower;
    raft::Term term = 0;
    raft::NodeId leader = raft::kNoNode;
    friend bool operator==(const Leadership&, const Leadership&) = default;
  };
  Leadership leadership_;
  std::map<Trouble, std::string> troubles_;
  GroupRoom room_;
  Clock::Duration next_tick_{0};
  raft::Index snapshot_needed_ = 0;  // of at least this index; 0: none is
  bool stalled_ = false;
  bool failed_ = false;

  mutable Mutex status_mu_;
  raft::RaftStatus status_ ABSL_GUARDED_BY(status_mu_);
};

}  // namespace kdb::raftnode

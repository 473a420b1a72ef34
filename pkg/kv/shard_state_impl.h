// The one implementation of ShardState. Its parts: Slots and Sessions hold the records, OpRunner
// executes, apply.cc orders.
//
// But for what waits for Commit, memory holds nothing that the engine does not: it is loaded from
// the engine at Open, and loaded again when Apply or Commit fails, which undoes all that waits. So
// there is no rollback code to get wrong.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/base/mutex.h"
#include "pkg/kv/apply_metrics.h"
#include "pkg/kv/ownership.h"
#include "pkg/kv/sessions.h"
#include "pkg/kv/shard_state.h"
#include "pkg/kv/slots.h"
#include "pkg/kv/system_records.h"
#include "pkg/storage/overlay.h"
#include "pkg/storage/system_record.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {

class ShardStateImpl final : public ShardState {
 public:
  // What is replicated, but for the user's data and the replies.
  struct State {
    storage::SystemRecord system;
    raftnode::Membership membership;
    Slots slots;
    Sessions sessions;
  };

  ShardStateImpl(const ShardOptions& options, GroupRecord group, raftnode::Membership birth,
                 storage::Engine& engine, obs::Registry& metrics);

  // Reads the state from the engine and publishes it. Called once, before the object is shared.
  absl::Status Load();

  raftnode::AppliedState applied() const override;
  absl::Status Apply(std::span<const raftnode::CommittedEntry> entries,
                     std::vector<Payload>* results) override;
  // A snapshot taken behind the next entry would be of another moment.
  bool CommitFollows(const raft::Entry& entry) const override {
    return entry.type == raft::EntryType::kNormal && IsHashCheck(entry.data.view());
  }
  void SetHashListener(HashListener* listener) override { hash_listener_ = listener; }
  bool staged() const override { return apply_counts_.entries > 0; }
  absl::Status Commit() override;
  absl::StatusOr<raft::Index> PersistedIndex() const override;
  absl::Status Flush() override;

  absl::StatusOr<std::string> Read(std::string_view bytes, uint64_t id, int64_t now_ms,
                                   bool* needs_tick) const override;
  absl::StatusOr<bool> HasExpired(int64_t now_ms) const override;
  absl::StatusOr<std::vector<SessionInfo>> OpenSessions() const override;
  raft::Index applied_index() const override { return applied_index_; }
  int64_t applied_log_time_ms() const override { return applied_log_time_ms_; }
  ShardStats stats() const override;
  exec::SlotSet owned() const override;

 private:
  // Shared by the readers that use it and the apply thread that replaces it.
  using OwnershipView = std::shared_ptr<const Ownership>;

  // A moment of the engine and who owned what in it.
  struct View {
    std::unique_ptr<storage::Snapshot> snapshot;
    OwnershipView ownership;
    int64_t committed_log_time_ms = 0;
    uint64_t rev = 0;
  };

  // --- The apply thread's, in apply.cc.
  absl::Status Stage(std::span<const raftnode::CommittedEntry> entries,
                     std::vector<Payload>* results, ApplyCounts& counts);
  absl::StatusOr<Payload> ApplyEntry(const raftnode::CommittedEntry& committed,
                                     ApplyCounts& counts);
  absl::StatusOr<Payload> ApplyKind(const DecodedEntry& entry, ApplyCounts& counts);
  absl::StatusOr<Payload> ApplyBatch(std::string_view bytes, ApplyCounts& counts);
  absl::StatusOr<std::string> ExecuteNext(const wire::BatchHeader& header, std::string_view bytes,
                                          ApplyCounts& counts);
  Payload ApplyOpenSession();
  Payload ApplyEndSessions(std::string_view body, ApplyCounts& counts);
  absl::StatusOr<Payload> ApplyExpireKeys(std::string_view body, ApplyCounts& counts);
  Payload ApplyOwnSlots(std::string_view body, ApplyCounts& counts);
  absl::StatusOr<Payload> ApplyRaiseLevel(std::string_view body, ApplyCounts& counts);
  Payload ApplyHashVerdict(std::string_view body, ApplyCounts& counts);
  absl::Status Halt(std::string_view why) const;
  void ApplyMembership(const raftnode::CommittedEntry& committed);
  std::string Refuse(wire::BatchCode code, const wire::BatchHeader& header, ApplyCounts& counts,
                     uint64_t last = 0) const;
  exec::Environment WriteEnvironment();
  absl::Status Write();
  absl::Status Undo(const absl::Status& why);
  void NoteGivenExpiries();

  void Publish();
  void PublishOwnership(OwnershipView ownership);
  absl::StatusOr<View> NewView() const;
  OwnershipView PublishedOwnership() const;

  const ShardOptions options_;
  const GroupRecord group_;
  const raftnode::Membership birth_;
  storage::Engine& engine_;
  ApplyMetrics metrics_;
  const SystemClock stopwatch_;  // for metrics only
  HashListener* hash_listener_ = nullptr;

  // Of the apply thread.
  std::unique_ptr<State> state_;
  std::unique_ptr<storage::WriteBatch> batch_;
  storage::Overlay overlay_;
  ApplyCounts apply_counts_;                    // of what is staged
  raft::Index staged_hash_point_ = 0;           // 0: none is
  int64_t staged_expiry_ms_ = exec::kNoExpiry;  // earliest given by what is staged

  // Of the newest entry handed to the engine: set before its write, so never below what a snapshot
  // holds.
  std::atomic<int64_t> committed_log_time_ms_ = 0;
  std::atomic<int64_t> applied_log_time_ms_ = 0;  // set after the write
  std::atomic<raft::Index> applied_index_ = 0;    // set after the write
  // No key expires before the smaller of the two, so that HasExpired need not look. Times given to
  // keys go into the first after the write that makes them visible; a look takes the first before
  // its snapshot.
  mutable std::atomic<int64_t> given_expiry_ms_ =
      INT64_MIN;  // since the last look; at first nothing is known
  mutable std::atomic<int64_t> seen_expiry_ms_ = exec::kNoExpiry;  // by the last look

  mutable Mutex mu_;
  ShardStats stats_ ABSL_GUARDED_BY(mu_);
  // Null while a write that changes it is under way.
  OwnershipView ownership_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::kv

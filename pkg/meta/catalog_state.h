// The replicated state machine of the meta group: the catalog in an engine, one record, rewritten
// with the system record by the WriteBatch of the entries that change it (FORMAT.md).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/raftnode/state_machine.h"
#include "pkg/storage/engine.h"
#include "proto/meta_log.pb.h"

namespace kdb::meta {

// Shared: readers keep the version they have while newer ones are applied.
using StatePtr = std::shared_ptr<const metalog::State>;

// As raftnode::StateMachine says.
class CatalogState final : public raftnode::StateMachine {
 public:
  // Called from Apply, after the write, when the state changed; must not block.
  using OnChange = std::function<void(StatePtr)>;

  // Reads the state from `engine`, which outlives the object; an empty one holds the state at the
  // cluster's birth. DATA_LOSS when the records are damaged, of another cluster, or of a newer
  // version.
  static absl::StatusOr<std::unique_ptr<CatalogState>> Open(const catalog::BirthCertificate& birth,
                                                            storage::Engine& engine,
                                                            OnChange on_change);

  // As of the last Apply, on the apply role.
  const StatePtr& state() const { return state_; }

  raftnode::AppliedState applied() const override { return applied_; }
  // A command of a higher level than this program knows is FAILED_PRECONDITION: the replica halts.
  absl::Status Apply(std::span<const raftnode::CommittedEntry> entries,
                     std::vector<Payload>* results) override;
  absl::StatusOr<raft::Index> PersistedIndex() const override;
  absl::Status Flush() override;

 private:
  CatalogState(storage::Engine& engine, OnChange on_change);

  // Results of the entries, on a copy of the state that stays empty while nothing asks for one.
  absl::Status Execute(std::span<const raftnode::CommittedEntry> entries,
                       std::vector<Payload>* results, raftnode::AppliedState* applied,
                       std::shared_ptr<metalog::State>* next) const;
  absl::Status Write(const raftnode::AppliedState& applied, const metalog::State* changed);

  storage::Engine& engine_;
  const OnChange on_change_;
  raftnode::AppliedState applied_;
  StatePtr state_;
};

// A command as a log entry's bytes, and the result of one.
Payload EncodeCommand(metalog::Command command);
absl::StatusOr<metalog::Result> DecodeResult(const Payload& bytes);

}  // namespace kdb::meta

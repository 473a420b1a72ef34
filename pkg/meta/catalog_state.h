// The replicated state machine of the meta group: the catalog in an engine, one record, rewritten
// with the system record by the WriteBatch of the entries that change it (FORMAT.md).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/meta/catalog_rules.h"
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
  using OnChange = std::function<void(const StatePtr&)>;

  // Reads the state from `engine`, which outlives the object; an empty one holds the state at the
  // cluster's birth. DATA_LOSS when the records are damaged, of another cluster, or of a newer
  // version; FAILED_PRECONDITION when their apply level is above `known_level` (tests of upgrades
  // know more).
  static absl::StatusOr<std::unique_ptr<CatalogState>> Open(const catalog::BirthCertificate& birth,
                                                            storage::Engine& engine,
                                                            OnChange on_change,
                                                            uint32_t known_level = kApplyLevel);

  // As of the last Apply, on the apply role.
  const StatePtr& state() const { return state_; }

  raftnode::AppliedState applied() const override { return applied_; }
  // A command that needs a higher level than this program knows, or raises it to one, is
  // FAILED_PRECONDITION: the replica halts before it (FORMAT.md).
  absl::Status Apply(std::span<const raftnode::CommittedEntry> entries,
                     std::vector<Payload>* results) override;
  absl::StatusOr<raft::Index> PersistedIndex() const override;
  absl::Status Flush() override;

 private:
  // What an Apply changes, before it is written.
  struct Staged {
    raftnode::AppliedState applied;
    uint32_t level = kBirthLevel;
    std::shared_ptr<metalog::State> state = nullptr;  // a copy, once something asks for one
    std::vector<Payload> results = {};
  };

  CatalogState(storage::Engine& engine, OnChange on_change, uint32_t known_level);

  absl::Status Load(const catalog::BirthCertificate& birth);
  void MakeCopy(Staged* staged) const;
  // The meta group's members changed at `index`.
  void Follow(const raftnode::Membership& membership, raft::Index index, Staged* staged) const;
  absl::StatusOr<Payload> Execute(const raft::Entry& entry, Staged* staged) const;
  absl::Status CheckKnown(const metalog::Command& command, raft::Index index) const;
  absl::Status Write(const Staged& staged);

  storage::Engine& engine_;
  const OnChange on_change_;
  const uint32_t known_level_;
  raftnode::AppliedState applied_;
  uint32_t level_ = kBirthLevel;  // in force
  StatePtr state_;
};

// A command as a log entry's bytes, and the result of one.
Payload EncodeCommand(metalog::Command command);
absl::StatusOr<metalog::Result> DecodeResult(const Payload& bytes);

}  // namespace kdb::meta

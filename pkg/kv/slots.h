// The slot records of a shard: in memory, and written with the entries that change them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/exec/executor.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/ownership.h"
#include "pkg/kv/system_records.h"
#include "pkg/storage/engine.h"

namespace kdb::kv {

// Not thread-safe. Holds exactly what the engine holds plus the changes since the last
// WriteChanged.
class Slots final : public exec::KeyCounts {
 public:
  static absl::StatusOr<Slots> Load(const storage::Reader& reader);

  uint64_t Keys(shard::Slot slot) const override { return records_[slot].keys; }
  uint64_t Expires(shard::Slot slot) const override { return records_[slot].expires; }
  void AddKeys(shard::Slot slot, int64_t delta) override;
  void AddExpires(shard::Slot slot, int64_t delta) override;

  // First ownership (design 5, step 0). What a higher epoch or assignment was seen for is left
  // alone; the slots that are not owned at `own.epoch` or a later one afterwards.
  std::vector<shard::Slot> Own(const OwnSlots& own);

  const SlotRecord& record(shard::Slot slot) const { return records_[slot]; }
  const Ownership& ownership() const { return ownership_; }
  uint64_t keys() const { return keys_; }  // of owned slots
  // Ownership has changed since the last WriteChanged.
  bool ownership_changed() const { return ownership_changed_; }

  void WriteChanged(storage::WriteBatch& batch);

 private:
  void Touch(shard::Slot slot);

  std::array<SlotRecord, shard::kSlots> records_;
  Ownership ownership_;
  uint64_t keys_ = 0;
  std::vector<shard::Slot> changed_;
  exec::SlotSet is_changed_;
  bool ownership_changed_ = false;
};

// The counts of one snapshot, read when first asked for.
class SnapshotCounts final : public exec::KeyCounts {
 public:
  explicit SnapshotCounts(const storage::Reader& snapshot) : snapshot_(snapshot) {}

  uint64_t Keys(shard::Slot slot) const override { return Get(slot).keys; }
  uint64_t Expires(shard::Slot slot) const override { return Get(slot).expires; }
  void AddKeys(shard::Slot slot, int64_t delta) override;
  void AddExpires(shard::Slot slot, int64_t delta) override;
  // Of the reading: when not OK, the counts were not true.
  const absl::Status& status() const { return status_; }

 private:
  struct Counts {
    uint64_t keys;
    uint64_t expires;
  };
  const Counts& Get(shard::Slot slot) const;

  const storage::Reader& snapshot_;
  mutable bool loaded_ = false;
  mutable std::array<Counts, shard::kSlots> counts_ = {};
  mutable absl::Status status_;
};

// As of `reader`.
absl::StatusOr<Ownership> LoadOwnership(const storage::Reader& reader);

}  // namespace kdb::kv

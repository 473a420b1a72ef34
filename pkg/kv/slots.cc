#include "pkg/kv/slots.h"

#include <tuple>

#include "absl/functional/function_ref.h"
#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::kv {
namespace {

absl::Status ForEachRecord(const storage::Reader& reader,
                           absl::FunctionRef<void(shard::Slot, const SlotRecord&)> visit) {
  KeyRange range = SlotKeys();
  auto it = reader.NewIterator(range.lower, range.upper);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    KDB_ASSIGN_OR_RETURN(shard::Slot slot, DecodeSlotKey(it->key()));
    KDB_ASSIGN_OR_RETURN(SlotRecord record, DecodeSlotRecord(it->value()));
    visit(slot, record);
  }
  return it->status();
}

// A count below zero is a bug, but not one to stop every replica for at the same entry.
uint64_t Sum(uint64_t count, int64_t delta) {
  if (delta < 0 && count < static_cast<uint64_t>(-delta)) return 0;
  return count + static_cast<uint64_t>(delta);
}

}  // namespace

absl::StatusOr<Slots> Slots::Load(const storage::Reader& reader) {
  Slots slots;
  KDB_RETURN_IF_ERROR(ForEachRecord(reader, [&](shard::Slot slot, const SlotRecord& record) {
    slots.records_[slot] = record;
    slots.ownership_.Set(slot, record);
    if (record.state == SlotState::kOwned) slots.keys_ += record.keys;
  }));
  return slots;
}

void Slots::AddKeys(shard::Slot slot, int64_t delta) {
  uint64_t& keys = records_[slot].keys;
  const uint64_t before = keys;
  keys = Sum(keys, delta);
  if (ownership_.owned[slot]) keys_ += keys - before;
  Touch(slot);
}

void Slots::AddExpires(shard::Slot slot, int64_t delta) {
  uint64_t& expires = records_[slot].expires;
  expires = Sum(expires, delta);
  Touch(slot);
}

std::vector<shard::Slot> Slots::Own(const OwnSlots& own) {
  std::vector<shard::Slot> refused;
  for (shard::Slot slot : own.slots) {
    SlotRecord& record = records_[slot];
    if (std::tie(own.epoch, own.assignment) > std::tie(record.epoch, record.move)) {
      if (record.state != SlotState::kOwned) keys_ += record.keys;
      record = {.state = SlotState::kOwned,
                .epoch = own.epoch,
                .move = own.assignment,
                .keys = record.keys,
                .expires = record.expires};
      ownership_.Set(slot, record);
      ownership_changed_ = true;
      Touch(slot);
    }
    if (record.state != SlotState::kOwned) refused.push_back(slot);
  }
  return refused;
}

void Slots::Touch(shard::Slot slot) {
  if (is_changed_[slot]) return;
  is_changed_.set(slot);
  changed_.push_back(slot);
}

void Slots::WriteChanged(storage::WriteBatch& batch) {
  for (shard::Slot slot : changed_) {
    batch.Put(SlotKey(slot), EncodeSlotRecord(records_[slot]));
    is_changed_.reset(slot);
  }
  changed_.clear();
  ownership_changed_ = false;
}

const SnapshotCounts::Counts& SnapshotCounts::Get(shard::Slot slot) const {
  if (!loaded_) {
    status_ = ForEachRecord(snapshot_, [this](shard::Slot s, const SlotRecord& record) {
      counts_[s] = {record.keys, record.expires};
    });
    loaded_ = true;
  }
  return counts_[slot];
}

void SnapshotCounts::AddKeys(shard::Slot slot, int64_t delta) {
  KDB_CHECK(false, "a read changes the keys of slot {} by {}", slot, delta);
}

void SnapshotCounts::AddExpires(shard::Slot slot, int64_t delta) {
  KDB_CHECK(false, "a read changes the expiries of slot {} by {}", slot, delta);
}

absl::StatusOr<Ownership> LoadOwnership(const storage::Reader& reader) {
  Ownership ownership;
  KDB_RETURN_IF_ERROR(ForEachRecord(
      reader, [&](shard::Slot slot, const SlotRecord& record) { ownership.Set(slot, record); }));
  return ownership;
}

}  // namespace kdb::kv

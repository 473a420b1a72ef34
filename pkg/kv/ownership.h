// Which slots a group serves, as an immutable value.
#pragma once

#include <array>
#include <cstdint>

#include "pkg/exec/executor.h"
#include "pkg/kv/system_records.h"
#include "pkg/shard/slot.h"

namespace kdb::kv {

// Immutable once published: shared by readers and the apply thread.
struct Ownership {
  exec::SlotSet owned;
  std::array<uint64_t, shard::kSlots> epochs = {};

  void Set(shard::Slot slot, const SlotRecord& record) {
    owned.set(slot, record.state == SlotState::kOwned);
    epochs[slot] = record.epoch;
  }
};

}  // namespace kdb::kv

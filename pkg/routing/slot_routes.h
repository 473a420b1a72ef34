// Which group each slot's ops go to, and the ops that wait because it cannot be said or the group
// would not have them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "pkg/routing/shard_op.h"
#include "pkg/shard/slot_table.h"

namespace kdb::routing {

struct ParkedSlot {
  OpQueue returned;         // were at a group; by number, all older than `fresh`
  OpQueue fresh;            // not sent yet
  uint64_t draining = 0;    // the former owner, while it has unresolved ops of the slot
  uint64_t refused_by = 0;  // the group that answered frozen or not_owner; it is asked again
};

// Not thread-safe.
class SlotRoutes {
 public:
  const shard::SlotOwner& owner(shard::Slot slot) const { return slots_[slot].owner; }
  // Takes a newer owner: true when the group changed.
  bool Learn(shard::Slot slot, const shard::SlotOwner& owner);

  // nullptr: ops of the slot need not wait.
  ParkedSlot* parked(shard::Slot slot) const { return slots_[slot].parked.get(); }
  ParkedSlot& Park(shard::Slot slot);
  // Ends the waiting.
  std::unique_ptr<ParkedSlot> Unpark(shard::Slot slot);
  // Slots with a ParkedSlot.
  const std::vector<shard::Slot>& parked_slots() const { return parked_slots_; }

 private:
  struct State {
    shard::SlotOwner owner;
    std::unique_ptr<ParkedSlot> parked;
  };

  std::array<State, shard::kSlots> slots_;
  std::vector<shard::Slot> parked_slots_;
};

}  // namespace kdb::routing

#include "pkg/routing/slot_routes.h"

#include <algorithm>
#include <utility>

namespace kdb::routing {

bool SlotRoutes::Learn(shard::Slot slot, const shard::SlotOwner& owner) {
  shard::SlotOwner& known = slots_[slot].owner;
  if (owner.epoch <= known.epoch) return false;
  bool changed = owner.gid != known.gid;
  known = owner;
  return changed;
}

ParkedSlot& SlotRoutes::Park(shard::Slot slot) {
  std::unique_ptr<ParkedSlot>& parked = slots_[slot].parked;
  if (parked == nullptr) {
    parked = std::make_unique<ParkedSlot>();
    parked_slots_.push_back(slot);
  }
  return *parked;
}

std::unique_ptr<ParkedSlot> SlotRoutes::Unpark(shard::Slot slot) {
  std::unique_ptr<ParkedSlot> parked = std::move(slots_[slot].parked);
  parked_slots_.erase(std::find(parked_slots_.begin(), parked_slots_.end(), slot));
  return parked;
}

}  // namespace kdb::routing

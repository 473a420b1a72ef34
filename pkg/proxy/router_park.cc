// Ops that wait: their slot has no owner, or its owner would not have them.
#include <utility>

#include "absl/strings/str_split.h"
#include "pkg/proxy/router_impl.h"

namespace kdb::proxy {
namespace {

constexpr auto kRefusedInterval = std::chrono::milliseconds(20);

std::vector<std::string> Addresses(const catalog::Group& group) {
  std::vector<std::string> addresses;
  for (const catalog::Member& member : group.members()) addresses.push_back(member.address());
  return addresses;
}

std::string LeaderOf(const catalog::Group& group) {
  for (const catalog::Member& member : group.members()) {
    if (member.id() == group.leader()) return member.address();
  }
  return {};
}

}  // namespace

void RouterImpl::SetCatalog(std::shared_ptr<const shard::SlotTable> table) {
  if (table_ != nullptr && table->version() <= table_->version()) return;
  table_ = std::move(table);
  for (const catalog::Group& group : table_->catalog().groups()) {
    GroupOf(group.gid()).session->SetMembers(Addresses(group), LeaderOf(group));
  }
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) LearnOwner(slot, table_->owner(slot));
  std::vector<shard::Slot> parked = routes_.parked_slots();
  for (shard::Slot slot : parked) TryUnpark(slot);
  if (table_->serving_groups().empty()) return;
  OpQueue unrouted = std::move(unrouted_);
  while (!unrouted.empty()) RouteUnrouted(unrouted.PopFront());
}

void RouterImpl::RouteUnrouted(OpPtr op) {
  if (op->answered) return Release(std::move(op));
  if (op->command->route != redis::Route::kScan) return FanOut(std::move(op));
  OwnedArgs args = op->args;
  op->args.Clear();
  std::vector<std::string_view> views;
  args.Views(&views);
  SubmitScan(std::move(op), views);
}

void RouterImpl::LearnOwner(shard::Slot slot, const shard::SlotOwner& owner) {
  uint64_t former = routes_.owner(slot).gid;
  if (!routes_.Learn(slot, owner)) return;
  // An op sent to the new owner must not overtake one that the former has yet to answer.
  if (former != 0 && GroupOf(former).unresolved[slot] > 0) routes_.Park(slot).draining = former;
}

void RouterImpl::Park(OpPtr op, shard::Slot slot, uint64_t refused_by) {
  ParkedSlot& parked = routes_.Park(slot);
  ++parked_ops_;
  parked.ops.PushBack(std::move(op));
  if (refused_by != 0) parked.refused_by = refused_by;
}

void RouterImpl::OnRefused(OpPtr op, const wire::Result& result) {
  uint64_t from = op->gid;
  LeaveGroup(*op);
  if (op->answered) return Release(std::move(op));
  bool moved = result.code == wire::ResultCode::kMoved;
  (moved ? metrics_.moved : metrics_.refused).Increment();
  // Of several slots the answer does not say which it is about: the catalog will.
  if (moved && op->slots.size() == 1) {
    GroupSession& session = *GroupOf(result.gid).session;
    if (table_ == nullptr || table_->group(result.gid) == nullptr) {
      session.SetMembers(
          absl::StrSplit(absl::string_view(result.addresses.data(), result.addresses.size()), ',',
                         absl::SkipEmpty()),
          {});
    }
    LearnOwner(op->slots.front(), {result.gid, result.epoch});
  }
  if (result.code != wire::ResultCode::kFrozen && catalog_wanted_) catalog_wanted_();
  if (op->slots.empty()) return FailPinned(std::move(op), from);
  shard::Slot slot = op->slots.front();
  bool elsewhere = routes_.owner(slot).gid != from;
  op->after_freeze = op->write;
  Park(std::move(op), slot, elsewhere ? 0 : from);
  if (elsewhere) return TryUnpark(slot);
  ArmRefusedTimer();
}

// A group never refuses what is for all that it owns.
void RouterImpl::FailPinned(OpPtr op, uint64_t from) {
  Answer(*op, PartEnd::kReply,
         "-ERR shard group " + std::to_string(from) + " refused a command without slots\r\n");
  Release(std::move(op));
}

void RouterImpl::TryUnpark(shard::Slot slot) {
  ParkedSlot* parked = routes_.parked(slot);
  if (parked == nullptr) return;
  uint64_t owner = routes_.owner(slot).gid;
  if (owner == 0 || parked->draining != 0 || parked->refused_by == owner) return;
  RouteAll(routes_.Unpark(slot));
}

void RouterImpl::RouteAll(OpQueue ops) {
  while (!ops.empty()) {
    --parked_ops_;
    Route(ops.PopFront());
  }
}

void RouterImpl::ArmRefusedTimer() {
  if (refused_armed_) return;
  refused_armed_ = true;
  executor_.PostAfter(kRefusedInterval, [self = self_] {
    if (*self != nullptr) (*self)->RetryRefused();
  });
}

void RouterImpl::RetryRefused() {
  refused_armed_ = false;
  std::vector<shard::Slot> slots = routes_.parked_slots();
  for (shard::Slot slot : slots) {
    ParkedSlot* parked = routes_.parked(slot);
    if (parked == nullptr || parked->refused_by == 0) continue;
    if (parked->refused_by == routes_.owner(slot).gid) {
      GroupOf(parked->refused_by).session->HoldForResume();
    } else {
      TryUnpark(slot);
    }
  }
}

void RouterImpl::OnReadyToResume(uint64_t gid) {
  resuming_ = true;
  std::vector<shard::Slot> slots = routes_.parked_slots();
  for (shard::Slot slot : slots) {
    ParkedSlot* parked = routes_.parked(slot);
    if (parked == nullptr || parked->refused_by != gid) continue;
    RouteAll(routes_.Unpark(slot));
  }
  resuming_ = false;
}

}  // namespace kdb::proxy

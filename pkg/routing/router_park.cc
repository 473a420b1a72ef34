// Ops that wait: their slot has no owner, or its owner would not have them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "pkg/routing/router_impl.h"

namespace kdb::routing {
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

void RouterImpl::Park(OpPtr op, shard::Slot slot) {
  ++parked_ops_;
  routes_.Park(slot).fresh.PushBack(std::move(op));
}

void RouterImpl::OnRefused(OpPtr op, const wire::Result& result) {
  bool moved = result.code == wire::ResultCode::kMoved;
  (moved ? metrics_.moved : metrics_.refused).Increment();
  if (op->answered || op->slots.empty()) return DropRefused(std::move(op));
  // Of several slots the answer does not say which it is about: the catalog will.
  if (moved && op->slots.size() == 1) FollowMove(op->slots.front(), result);
  if (result.code != wire::ResultCode::kFrozen && catalog_wanted_) catalog_wanted_();

  op->after_freeze = op->write;
  shard::Slot slot = op->slots.front();
  ParkedSlot& parked = routes_.Park(slot);
  if (routes_.owner(slot).gid == op->gid) {
    parked.refused_by = op->gid;
    ArmRefusedTimer();
  }
  Return(std::move(op), slot);
  TryUnpark(slot);
}

// From its group to those that wait for the slot, which is parked.
void RouterImpl::Return(OpPtr op, shard::Slot slot) {
  LeaveLane(*op);
  uint64_t from = std::exchange(op->gid, 0);
  ShardOp::Slots slots = op->slots;
  ++parked_ops_;
  routes_.Park(slot).returned.InsertByNumber(std::move(op));
  // Only now: it may let go what is parked, in order.
  NoteResolved(from, std::move(slots));
}

// Even if the group that refused the older ones has the slot again by now.
bool RouterImpl::MustWait(const ShardOp& op) {
  return std::any_of(op.slots.begin(), op.slots.end(),
                     [this](shard::Slot slot) { return routes_.parked(slot) != nullptr; });
}

void RouterImpl::TakeBack(OpPtr op) {
  for (shard::Slot slot : op->slots) {
    if (routes_.parked(slot) != nullptr) return Return(std::move(op), slot);
  }
  LeaveGroup(*op);
  Route(std::move(op));
}

void RouterImpl::FollowMove(shard::Slot slot, const wire::Result& result) {
  GroupSession& session = *GroupOf(result.gid).session;
  if (table_ == nullptr || table_->group(result.gid) == nullptr) {
    absl::string_view addresses(result.addresses.data(), result.addresses.size());
    session.SetMembers(absl::StrSplit(addresses, ',', absl::SkipEmpty()), {});
  }
  LearnOwner(slot, {result.gid, result.epoch});
}

// Its client has an answer already; or it is for all that a group owns, which a group never
// refuses.
void RouterImpl::DropRefused(OpPtr op) {
  LeaveGroup(*op);
  Answer(*op, PartEnd::kReply, kRefusedReply);
  Release(std::move(op));
}

void RouterImpl::TryUnpark(shard::Slot slot) {
  ParkedSlot* parked = routes_.parked(slot);
  if (parked == nullptr) return;
  uint64_t owner = routes_.owner(slot).gid;
  if (owner == 0 || parked->draining != 0 || parked->refused_by == owner) return;
  std::unique_ptr<ParkedSlot> unparked = routes_.Unpark(slot);
  // They go to another group than the one that refused them: there they resume nothing, and must
  // not go before older ops that were never sent.
  unparked->returned.ForEach([](ShardOp& op) { op.after_freeze = false; });
  RouteAll(*unparked);
}

void RouterImpl::RouteAll(ParkedSlot& parked) {
  for (OpQueue* ops : {&parked.returned, &parked.fresh}) {
    while (!ops->empty()) {
      --parked_ops_;
      Route(ops->PopFront());
    }
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
    if (parked->refused_by != routes_.owner(slot).gid) {
      TryUnpark(slot);
    } else if (parked->draining != 0) {
      ArmRefusedTimer();
    } else {
      GroupOf(parked->refused_by).session->HoldForResume();
    }
  }
}

void RouterImpl::OnReadyToResume(uint64_t gid) {
  resuming_ = gid;
  std::vector<shard::Slot> slots = routes_.parked_slots();
  for (shard::Slot slot : slots) {
    ParkedSlot* parked = routes_.parked(slot);
    if (parked == nullptr || parked->refused_by != gid || routes_.owner(slot).gid != gid) continue;
    if (parked->draining != 0) {  // the slot was elsewhere meanwhile, and ops still are
      ArmRefusedTimer();
      continue;
    }
    std::unique_ptr<ParkedSlot> unparked = routes_.Unpark(slot);
    RouteAll(*unparked);
  }
  resuming_ = 0;
}

}  // namespace kdb::routing

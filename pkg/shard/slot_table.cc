#include "pkg/shard/slot_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "pkg/base/status.h"

namespace kdb::shard {
namespace {

absl::Status CheckGroups(const catalog::Catalog& catalog) {
  for (int i = 1; i < catalog.groups_size(); ++i) {
    if (catalog.groups(i - 1).gid() >= catalog.groups(i).gid()) {
      return absl::InvalidArgumentError(
          fmt::format("the catalog's groups are not in ascending order: {} is followed by {}",
                      catalog.groups(i - 1).gid(), catalog.groups(i).gid()));
    }
  }
  return absl::OkStatus();
}

// `next`: the first slot behind the range before.
absl::Status CheckRange(const catalog::SlotRange& range, uint32_t next) {
  if (range.last() < range.first() || range.last() >= kSlots) {
    return absl::InvalidArgumentError(fmt::format("slot range {}-{} is out of bounds (0-{})",
                                                  range.first(), range.last(), kSlots - 1));
  }
  if (range.first() < next) {
    return absl::InvalidArgumentError(fmt::format(
        "slot range {}-{} overlaps or precedes the one before it", range.first(), range.last()));
  }
  if (range.gid() == 0 || range.epoch() == 0) {
    return absl::InvalidArgumentError(
        fmt::format("slot range {}-{} has no group or no epoch", range.first(), range.last()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SlotTable>> SlotTable::Build(catalog::Catalog catalog) {
  KDB_RETURN_IF_ERROR(CheckGroups(catalog));
  std::shared_ptr<SlotTable> table(new SlotTable());
  table->catalog_ = std::move(catalog);
  uint32_t next = 0;
  for (const catalog::SlotRange& range : table->catalog_.slots()) {
    KDB_RETURN_IF_ERROR(CheckRange(range, next));
    if (table->group(range.gid()) == nullptr) {
      return absl::InvalidArgumentError(
          fmt::format("slot range {}-{} names group {}, which is not in the catalog", range.first(),
                      range.last(), range.gid()));
    }
    for (uint32_t slot = range.first(); slot <= range.last(); ++slot) {
      table->owners_[slot] = {.gid = range.gid(), .epoch = range.epoch()};
    }
    table->serving_.push_back(range.gid());
    next = range.last() + 1;
  }
  auto& serving = table->serving_;
  std::sort(serving.begin(), serving.end());
  serving.erase(std::unique(serving.begin(), serving.end()), serving.end());
  return table;
}

const catalog::Group* SlotTable::group(uint64_t gid) const {
  const auto& groups = catalog_.groups();
  auto it = std::lower_bound(groups.begin(), groups.end(), gid,
                             [](const catalog::Group& g, uint64_t id) { return g.gid() < id; });
  return it != groups.end() && it->gid() == gid ? &*it : nullptr;
}

std::vector<Slot> SlotTable::SlotsOf(uint64_t gid) const {
  std::vector<Slot> slots;
  for (Slot slot = 0; slot < kSlots; ++slot) {
    if (owners_[slot].gid == gid) slots.push_back(slot);
  }
  return slots;
}

std::vector<catalog::SlotRange> ToRanges(const std::array<SlotOwner, kSlots>& owners) {
  std::vector<catalog::SlotRange> ranges;
  for (Slot slot = 0; slot < kSlots; ++slot) {
    if (owners[slot].gid == 0) continue;
    if (slot > 0 && owners[slot] == owners[slot - 1]) {
      ranges.back().set_last(slot);
      continue;
    }
    catalog::SlotRange& range = ranges.emplace_back();
    range.set_first(slot);
    range.set_last(slot);
    range.set_gid(owners[slot].gid);
    range.set_epoch(owners[slot].epoch);
  }
  return ranges;
}

}  // namespace kdb::shard

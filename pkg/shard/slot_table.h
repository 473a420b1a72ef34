// Which group owns which slot, and where its members are: an immutable view of one version of the
// catalog.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/shard/slot.h"
#include "proto/catalog.pb.h"

namespace kdb::shard {

struct SlotOwner {
  uint64_t gid = 0;  // 0: nobody
  uint64_t epoch = 0;

  friend bool operator==(const SlotOwner&, const SlotOwner&) = default;
};

// Thread-safe as an immutable value.
class SlotTable {
 public:
  // INVALID_ARGUMENT when ranges overlap, are out of bounds, or name a group that is not listed.
  static absl::StatusOr<std::shared_ptr<const SlotTable>> Build(catalog::Catalog catalog);

  uint64_t version() const { return catalog_.version(); }
  const catalog::Catalog& catalog() const { return catalog_; }
  const SlotOwner& owner(Slot slot) const { return owners_[slot]; }
  // nullptr when there is no such group.
  const catalog::Group* group(uint64_t gid) const;
  // Groups that own at least one slot, ascending.
  const std::vector<uint64_t>& serving_groups() const { return serving_; }
  std::vector<Slot> SlotsOf(uint64_t gid) const;

 private:
  SlotTable() = default;

  catalog::Catalog catalog_;
  std::array<SlotOwner, kSlots> owners_{};
  std::vector<uint64_t> serving_;
};

// One owner per slot as the catalog's ranges: the shortest list, ascending.
std::vector<catalog::SlotRange> ToRanges(const std::array<SlotOwner, kSlots>& owners);

}  // namespace kdb::shard

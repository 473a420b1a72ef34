// Hash slots: 1024 of ours, each 16 contiguous ones of Redis Cluster (design 2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kdb::shard {

using Slot = uint16_t;

inline constexpr Slot kSlots = 1024;
inline constexpr Slot kSystemSlot = 0xFFFF;  // system records: no key maps to it

// The part of a key that is hashed: between the first '{' and the next '}' when not empty, else all
// of it.
std::string_view HashTag(std::string_view key);
// Redis Cluster's slot, [0, 16384).
uint16_t ClusterSlot(std::string_view key);
// Ours, [0, 1024).
inline Slot SlotOf(std::string_view key) { return ClusterSlot(key) >> 4; }

// "1,5,9-20" as sorted distinct slots. INVALID_ARGUMENT names the part that is wrong.
absl::StatusOr<std::vector<Slot>> ParseSlots(std::string_view text);
// The inverse, with ranges: "1,5,9-20".
std::string FormatSlots(const std::vector<Slot>& sorted);

}  // namespace kdb::shard

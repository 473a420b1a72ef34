#include "pkg/shard/slot.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <charconv>
#include <optional>

#include "pkg/base/crc16.h"

namespace kdb::shard {
namespace {

constexpr uint16_t kClusterSlots = 16384;

std::optional<Slot> ParseSlot(std::string_view text) {
  Slot slot = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), slot);
  if (error != std::errc() || end != text.data() + text.size() || slot >= kSlots) {
    return std::nullopt;
  }
  return slot;
}

// "7" or "9-20".
bool ParsePart(std::string_view part, std::bitset<kSlots>* slots) {
  size_t dash = part.find('-');
  std::optional<Slot> first = ParseSlot(part.substr(0, dash));
  std::optional<Slot> last =
      dash == std::string_view::npos ? first : ParseSlot(part.substr(dash + 1));
  if (!first || !last || *first > *last) return false;
  for (size_t slot = *first; slot <= *last; ++slot) slots->set(slot);
  return true;
}

}  // namespace

std::string_view HashTag(std::string_view key) {
  size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

uint16_t ClusterSlot(std::string_view key) { return Crc16(HashTag(key)) & (kClusterSlots - 1); }

absl::StatusOr<std::vector<Slot>> ParseSlots(std::string_view text) {
  std::bitset<kSlots> slots;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find(',', begin), text.size());
    std::string_view part = text.substr(begin, end - begin);
    if (!ParsePart(part, &slots)) {
      return absl::InvalidArgumentError(
          fmt::format("slots: '{}' is neither a slot (0-{}) nor a range first-last of slots", part,
                      kSlots - 1));
    }
    begin = end + 1;
  }
  std::vector<Slot> sorted;
  sorted.reserve(slots.count());
  for (Slot slot = 0; slot < kSlots; ++slot) {
    if (slots[slot]) sorted.push_back(slot);
  }
  return sorted;
}

std::string FormatSlots(const std::vector<Slot>& sorted) {
  std::string out;
  for (size_t i = 0; i < sorted.size();) {
    size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (!out.empty()) out.push_back(',');
    out.append(fmt::to_string(sorted[i]));
    if (last > i) out.append(fmt::format("-{}", sorted[last]));
    i = last + 1;
  }
  return out;
}

}  // namespace kdb::shard

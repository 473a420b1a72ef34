#include <fmt/format.h>

#include <charconv>

#include "pkg/config/settings.h"

namespace kdb::config {
namespace {

struct Unit {
  std::string_view suffix;
  uint64_t factor;
};

// The number in front of one of `units`; the first unit has the empty suffix, if that is allowed.
template <size_t n>
bool ParseWithUnit(const std::string& text, const Unit (&units)[n], uint64_t* value) {
  uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return false;
  std::string_view suffix(end, text.data() + text.size() - end);
  for (const Unit& unit : units) {
    if (unit.suffix == suffix) return !__builtin_mul_overflow(number, unit.factor, value);
  }
  return false;
}

}  // namespace

absl::StatusOr<uint64_t> ParseBytes(const std::string& text) {
  static constexpr Unit kUnits[] = {{"", 1},
                                    {"B", 1},
                                    {"KiB", 1ull << 10},
                                    {"MiB", 1ull << 20},
                                    {"GiB", 1ull << 30},
                                    {"TiB", 1ull << 40}};
  uint64_t value = 0;
  if (ParseWithUnit(text, kUnits, &value)) return value;
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a size: write bytes, or a number with KiB, MiB, GiB or TiB", text));
}

absl::StatusOr<std::chrono::milliseconds> ParseDuration(const std::string& text) {
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  uint64_t value = 0;
  if (ParseWithUnit(text, kUnits, &value)) return std::chrono::milliseconds(value);
  return absl::InvalidArgumentError(
      fmt::format("'{}' is not a duration: write a number with ms, s, m or h", text));
}

}  // namespace kdb::config

#include "pkg/resp/integer.h"

#include <limits>

namespace kdb::resp {

std::optional<int64_t> ParseInteger(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (p == end) return std::nullopt;
  if (text == "0") return 0;
  const bool negative = *p == '-';
  if (negative) ++p;
  if (p == end || *p < '1' || *p > '9') return std::nullopt;

  // Twenty digits overflow whatever they are, and nineteen always fit into 64 unsigned bits.
  if (end - p > 19) return std::nullopt;
  uint64_t magnitude = 0;
  for (; p != end; ++p) {
    const unsigned digit = static_cast<unsigned char>(*p) - unsigned{'0'};
    if (digit > 9) return std::nullopt;
    magnitude = magnitude * 10 + digit;
  }
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<int64_t>(negative ? -magnitude : magnitude);
}

}  // namespace kdb::resp

// The strict decimal integers of the Redis protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kdb::resp {

// A signed 64-bit integer without spaces, plus sign, leading zeros or "-0", as Redis's string2ll
// reads it.
std::optional<int64_t> ParseInteger(std::string_view text);

}  // namespace kdb::resp

// The glob patterns of KEYS, SCAN and CONFIG GET.
#pragma once

#include <string>
#include <string_view>

namespace kdb::redis {

// * ? [a-z] [^a] and backslash, byte for byte as Redis on x86 (where the bounds of a range are
// signed). O(|pattern| * |text|) at worst, however many stars there are. "*" matches the empty
// text, but as in Redis no other pattern with stars does.
bool GlobMatch(std::string_view pattern, std::string_view text);
// COMMAND LIST FILTERBY PATTERN and CONFIG GET compare without regard to ASCII case.
bool GlobMatchIgnoreCase(std::string_view pattern, std::string_view text);
// The bytes with which every matching text begins: KEYS seeks there. With *exact, the pattern
// matches only this text.
std::string GlobPrefix(std::string_view pattern, bool* exact);

}  // namespace kdb::redis

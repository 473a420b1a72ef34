// Reads encoded replies: where the proxy merges them, and in tests and clients.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace kdb::resp {

// A decoded reply; views point into the input.
struct Reply {
  enum class Type {
    kSimple,
    kError,
    kInteger,
    kBulk,
    kNull,
    kArray,
    kMap,
    kSet,
    kPush,
    kDouble,
    kBoolean,
    kBigNumber,
    kVerbatim
  };
  Type type = Type::kNull;
  std::string_view
      text;             // kSimple, kError, kBulk, kDouble, kBigNumber, kVerbatim (with its format)
  int64_t integer = 0;  // kInteger, kBoolean
  std::vector<Reply> elements;  // aggregates; a map's are key, value, key, value...
};

// The length of the first whole reply in `in`: 0 when more bytes are needed, nullopt when it is
// malformed. Nesting deeper than 32 is malformed.
std::optional<size_t> ReplyLength(std::string_view in);
// Decodes exactly one reply from the front of `in`; nullopt unless it is whole and well-formed.
std::optional<Reply> ReadReply(std::string_view in);

}  // namespace kdb::resp

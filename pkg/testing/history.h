// What clients of a key-value store saw: the input of the linearizability checker, and its text
// form.
//
// Text: one operation a line, '#' begins a comment:
//
//   CALL RETURN CLIENT KIND KEY [ARGUMENT] [-> RESULT]
//   10 20 c1 SET x 1 -> OK
//   15 ? c2 INCR n 1
//
// Times are integers of one clock (nanoseconds by convention). RETURN is '?' and RESULT missing
// when the outcome is unknown. Bytes of keys and values that are not printable ASCII, and space,
// '%', '#' and '(', are written %XX; the empty string is %-. RESULT is (nil) for no value.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kdb::testing {

enum class OpKind {
  kGet,     // -> the value, or nil
  kSet,     // argument: value; -> OK
  kDel,     // -> 1, or 0 when there was no such key
  kIncr,    // argument: what to add; -> the sum
  kAppend,  // argument: what to append; -> the length
};

// One call of a client. Errors that say that nothing happened are no operations.
struct Operation {
  // The outcome is unknown: it may take effect at any time after `call`, or never.
  static constexpr int64_t kOpen = std::numeric_limits<int64_t>::max();

  std::string key{};
  OpKind kind = OpKind::kGet;
  std::string argument{};
  int64_t call = 0;
  int64_t ret = kOpen;
  std::optional<std::string> result{};  // nullopt: nil; not looked at when open
  std::string client{};

  bool open() const { return ret == kOpen; }
};

// INVALID_ARGUMENT names the line.
absl::StatusOr<std::vector<Operation>> ParseHistory(std::string_view text);
// One line, without a newline.
std::string FormatOperation(const Operation& op);

}  // namespace kdb::testing

// Parsers of command arguments that executors share. They accept and refuse exactly what Redis 7.0
// does; an error's message is the text of the RESP error ("ERR syntax error"). Pure functions;
// views point into the arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/redis/ascii.h"
#include "pkg/redis/glob.h"

namespace kdb::redis {

using ArgSpan = std::span<const std::string_view>;

// --- Errors that several commands share.

absl::Status SyntaxError();   // ERR syntax error
absl::Status NotAnInteger();  // ERR value is not an integer or out of range
absl::Status NotAFloat();     // ERR value is not a valid float
absl::Status InvalidExpireTime(
    std::string_view command);  // ERR invalid expire time in 'set' command
absl::Status WrongArgumentCount(
    std::string_view command);  // ERR wrong number of arguments for 'get' command

// The text for ReplyWriter::Error; valid as long as `status`.
inline std::string_view ErrorText(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

// --- Numbers.

// Strict decimal of a signed 64-bit integer: no spaces, no plus sign, no leading zeros, no "-0".
std::optional<int64_t> ParseInteger(std::string_view text);
// The same, or NotAnInteger().
absl::StatusOr<int64_t> IntegerArgument(std::string_view text);

// What INCRBYFLOAT accepts, for its argument and for the stored value: strtold's forms (hex and
// "inf" too), without leading spaces, not NaN, not out of range. The arithmetic is the machine's
// long double, as in Redis.
std::optional<long double> ParseLongDouble(std::string_view text);
absl::StatusOr<long double> FloatArgument(std::string_view text);
// As INCRBYFLOAT stores and replies: %.17Lf without trailing zeros, "0" for minus zero. `value`
// must be finite.
std::string FormatLongDouble(long double value);

// --- Expiry options of SET and GETEX.

struct Expiry {
  enum class Kind : uint8_t {
    kNone,       // not given: SET clears the TTL, GETEX leaves it
    kKeep,       // KEEPTTL
    kPersist,    // PERSIST
    kSeconds,    // EX
    kMillis,     // PX
    kSecondsAt,  // EXAT
    kMillisAt,   // PXAT
  };
  Kind kind = Kind::kNone;
  std::string_view time;  // the unparsed operand of the last four: Redis judges it after the syntax
                          // of all options

  bool has_time() const { return kind >= Kind::kSeconds; }
};

// The absolute expiry in ms of an `expiry` with has_time(), or NotAnInteger() /
// InvalidExpireTime(command). `command` is the lower-case name in the error's text. GETEX judges it
// only after it found the key.
absl::StatusOr<int64_t> ExpiryMillis(const Expiry& expiry, int64_t now_ms,
                                     std::string_view command);

struct SetOptions {
  enum class Condition : uint8_t { kAlways, kIfAbsent, kIfPresent };  // -, NX, XX
  Condition condition = Condition::kAlways;
  bool get = false;
  Expiry expiry;
};

// `args` is the whole command, SET key value ...
absl::StatusOr<SetOptions> ParseSetOptions(ArgSpan args);
// `args` is the whole command, GETEX key ...; the kind is kNone, kPersist or one with a time.
absl::StatusOr<Expiry> ParseGetexOptions(ArgSpan args);

// --- EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT.

struct ExpireFlags {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

struct ExpireUnit {
  bool seconds = false;   // else milliseconds
  bool absolute = false;  // else relative to now
};

struct ExpireRequest {
  int64_t when_ms = 0;  // absolute; may lie in the past, even be negative: the key is deleted
  ExpireFlags flags;
};

// `args` is the whole command, EXPIRE key time ...; `command` its lower-case name.
absl::StatusOr<ExpireRequest> ParseExpire(ArgSpan args, std::string_view command, ExpireUnit unit,
                                          int64_t now_ms);
// Whether the flags let `when_ms` replace `current_ms` (nullopt: no expiry).
bool ExpireAllowed(const ExpireFlags& flags, std::optional<int64_t> current_ms, int64_t when_ms);

// --- SCAN; its MATCH is in glob.h.

struct ScanOptions {
  uint64_t cursor = 0;
  std::string_view match = "*";
  int64_t count = 10;     // >= 1
  std::string_view type;  // empty: any; compared case-insensitively; an unknown one matches nothing
};

// `args` is the whole command, SCAN cursor ...
absl::StatusOr<ScanOptions> ParseScan(ArgSpan args);

}  // namespace kdb::redis

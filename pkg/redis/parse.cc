#include "pkg/redis/parse.h"

#include <fmt/format.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "pkg/base/status.h"
#include "pkg/resp/integer.h"

namespace kdb::redis {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt = std::numeric_limits<int64_t>::min();

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The option that takes a time, kNone when `name` is none.
Expiry::Kind TimeOption(std::string_view name) {
  if (EqualsIgnoreCase(name, "EX")) return Expiry::Kind::kSeconds;
  if (EqualsIgnoreCase(name, "PX")) return Expiry::Kind::kMillis;
  if (EqualsIgnoreCase(name, "EXAT")) return Expiry::Kind::kSecondsAt;
  if (EqualsIgnoreCase(name, "PXAT")) return Expiry::Kind::kMillisAt;
  return Expiry::Kind::kNone;
}

// Takes the expiry option at args[*i], with its operand; false when it is none or contradicts an
// earlier one. The same option may come again: the last one counts. `bare` is the command's option
// without operand.
bool TakeExpiry(ArgSpan args, size_t* i, std::string_view bare, Expiry::Kind bare_kind,
                Expiry* expiry) {
  const bool is_bare = EqualsIgnoreCase(args[*i], bare);
  const Expiry::Kind kind = is_bare ? bare_kind : TimeOption(args[*i]);
  if (kind == Expiry::Kind::kNone) return false;
  if (expiry->kind != Expiry::Kind::kNone && expiry->kind != kind) return false;
  if (!is_bare) {
    if (*i + 1 == args.size()) return false;
    expiry->time = args[++*i];
  }
  expiry->kind = kind;
  return true;
}

bool TakeCondition(std::string_view option, SetOptions::Condition* condition) {
  using Condition = SetOptions::Condition;
  Condition wanted = Condition::kAlways;
  if (EqualsIgnoreCase(option, "NX")) wanted = Condition::kIfAbsent;
  if (EqualsIgnoreCase(option, "XX")) wanted = Condition::kIfPresent;
  if (wanted == Condition::kAlways) return false;
  if (*condition != Condition::kAlways && *condition != wanted) return false;
  *condition = wanted;
  return true;
}

absl::StatusOr<ExpireFlags> ParseExpireFlags(ArgSpan options) {
  ExpireFlags flags;
  for (const std::string_view option : options) {
    if (EqualsIgnoreCase(option, "NX")) {
      flags.nx = true;
    } else if (EqualsIgnoreCase(option, "XX")) {
      flags.xx = true;
    } else if (EqualsIgnoreCase(option, "GT")) {
      flags.gt = true;
    } else if (EqualsIgnoreCase(option, "LT")) {
      flags.lt = true;
    } else {
      return absl::InvalidArgumentError(
          fmt::format("ERR Unsupported option {}", option.substr(0, option.find('\0'))));
    }
  }
  if (flags.nx && (flags.xx || flags.gt || flags.lt)) {
    return absl::InvalidArgumentError(
        "ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (flags.gt && flags.lt) {
    return absl::InvalidArgumentError("ERR GT and LT options at the same time are not compatible");
  }
  return flags;
}

// As Redis, which leaves it to strtoul: a sign is fine, and minus one is the largest cursor.
std::optional<uint64_t> ParseCursor(std::string_view text) {
  if (!text.empty() && IsSpace(text[0])) return std::nullopt;
  const std::string copy(text.substr(0, text.find('\0')));
  char* end = nullptr;
  errno = 0;
  const uint64_t cursor = std::strtoul(copy.c_str(), &end, 10);
  if (*end != '\0' || errno == ERANGE) return std::nullopt;
  return cursor;
}

}  // namespace

absl::Status SyntaxError() { return absl::InvalidArgumentError("ERR syntax error"); }

absl::Status NotAnInteger() {
  return absl::InvalidArgumentError("ERR value is not an integer or out of range");
}

absl::Status NotAFloat() { return absl::InvalidArgumentError("ERR value is not a valid float"); }

absl::Status InvalidExpireTime(std::string_view command) {
  return absl::InvalidArgumentError(
      fmt::format("ERR invalid expire time in '{}' command", command));
}

absl::Status WrongArgumentCount(std::string_view command) {
  return absl::InvalidArgumentError(
      fmt::format("ERR wrong number of arguments for '{}' command", command));
}

std::optional<int64_t> ParseInteger(std::string_view text) { return resp::ParseInteger(text); }

absl::StatusOr<int64_t> IntegerArgument(std::string_view text) {
  const std::optional<int64_t> value = resp::ParseInteger(text);
  if (!value) return NotAnInteger();
  return *value;
}

std::optional<long double> ParseLongDouble(std::string_view text) {
  constexpr size_t kMaxBytes = 5 * 1024 - 1;  // as in Redis: the longest long double in decimal
  if (text.empty() || text.size() > kMaxBytes || IsSpace(text[0])) return std::nullopt;
  const std::string copy(text);
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.c_str(), &end);
  if (end != copy.c_str() + copy.size() || std::isnan(value)) return std::nullopt;
  // Denormal results are out of range for strtold but fine here.
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

absl::StatusOr<long double> FloatArgument(std::string_view text) {
  const std::optional<long double> value = ParseLongDouble(text);
  if (!value) return NotAFloat();
  return *value;
}

std::string FormatLongDouble(long double value) {
  char buffer[5 * 1024];
  const int size = std::snprintf(buffer, sizeof(buffer), "%.17Lf", value);
  std::string_view text(buffer, static_cast<size_t>(size));
  text = text.substr(0, text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.remove_suffix(1);
  return text == "-0" ? "0" : std::string(text);
}

absl::StatusOr<int64_t> ExpiryMillis(const Expiry& expiry, int64_t now_ms,
                                     std::string_view command) {
  using Kind = Expiry::Kind;
  KDB_ASSIGN_OR_RETURN(int64_t time, IntegerArgument(expiry.time));
  const bool seconds = expiry.kind == Kind::kSeconds || expiry.kind == Kind::kSecondsAt;
  if (time <= 0 || (seconds && time > kMaxInt / 1000)) return InvalidExpireTime(command);
  if (seconds) time *= 1000;
  const bool relative = expiry.kind == Kind::kSeconds || expiry.kind == Kind::kMillis;
  if (!relative) return time;
  if (time > kMaxInt - now_ms) return InvalidExpireTime(command);
  return time + now_ms;
}

absl::StatusOr<SetOptions> ParseSetOptions(ArgSpan args) {
  SetOptions options;
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "GET")) {
      options.get = true;
    } else if (!TakeCondition(args[i], &options.condition) &&
               !TakeExpiry(args, &i, "KEEPTTL", Expiry::Kind::kKeep, &options.expiry)) {
      return SyntaxError();
    }
  }
  return options;
}

absl::StatusOr<Expiry> ParseGetexOptions(ArgSpan args) {
  Expiry expiry;
  for (size_t i = 2; i < args.size(); ++i) {
    if (!TakeExpiry(args, &i, "PERSIST", Expiry::Kind::kPersist, &expiry)) return SyntaxError();
  }
  return expiry;
}

absl::StatusOr<ExpireRequest> ParseExpire(ArgSpan args, std::string_view command, ExpireUnit unit,
                                          int64_t now_ms) {
  ExpireRequest request;
  KDB_ASSIGN_OR_RETURN(request.flags, ParseExpireFlags(args.subspan(3)));
  KDB_ASSIGN_OR_RETURN(int64_t when, IntegerArgument(args[2]));
  if (unit.seconds) {
    if (when > kMaxInt / 1000 || when < kMinInt / 1000) return InvalidExpireTime(command);
    when *= 1000;
  }
  const int64_t base = unit.absolute ? 0 : now_ms;
  if (when > kMaxInt - base) return InvalidExpireTime(command);
  request.when_ms = when + base;
  return request;
}

bool ExpireAllowed(const ExpireFlags& flags, std::optional<int64_t> current_ms, int64_t when_ms) {
  if (flags.nx && current_ms) return false;
  if (flags.xx && !current_ms) return false;
  // No expiry is later than any.
  if (flags.gt && (!current_ms || when_ms <= *current_ms)) return false;
  if (flags.lt && current_ms && when_ms >= *current_ms) return false;
  return true;
}

absl::StatusOr<ScanOptions> ParseScan(ArgSpan args) {
  ScanOptions options;
  const std::optional<uint64_t> cursor = ParseCursor(args[1]);
  if (!cursor) return absl::InvalidArgumentError("ERR invalid cursor");
  options.cursor = *cursor;
  for (size_t i = 2; i < args.size(); i += 2) {
    if (i + 1 == args.size()) return SyntaxError();
    if (EqualsIgnoreCase(args[i], "COUNT")) {
      KDB_ASSIGN_OR_RETURN(options.count, IntegerArgument(args[i + 1]));
      if (options.count < 1) return SyntaxError();
    } else if (EqualsIgnoreCase(args[i], "MATCH")) {
      options.match = args[i + 1];
    } else if (EqualsIgnoreCase(args[i], "TYPE")) {
      options.type = args[i + 1];
    } else {
      return SyntaxError();
    }
  }
  return options;
}

}  // namespace kdb::redis

// INCR DECR INCRBY DECRBY INCRBYFLOAT.
#include <charconv>
#include <cmath>
#include <limits>

#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

absl::Status AddInteger(Call& call, int64_t delta) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  int64_t value = 0;
  if (entry.found()) {
    if (!entry.is_string()) return ReplyWrongType(call);
    KDB_ASSIGN_OR_REPLY(value, redis::IntegerArgument(entry.value()));
  }
  if (__builtin_add_overflow(value, delta, &value)) {
    return ReplyError(call, "ERR increment or decrement would overflow");
  }
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  call.keys.StoreString(entry, std::string_view(digits, end - digits),
                        entry.found() ? entry.head().expire_ms : std::nullopt);
  call.reply.Integer(value);
  return absl::OkStatus();
}

absl::Status Incr(Call& call) { return AddInteger(call, 1); }
absl::Status Decr(Call& call) { return AddInteger(call, -1); }

absl::Status IncrBy(Call& call) {
  KDB_ASSIGN_OR_REPLY(int64_t delta, redis::IntegerArgument(call.args[2]));
  return AddInteger(call, delta);
}

absl::Status DecrBy(Call& call) {
  KDB_ASSIGN_OR_REPLY(int64_t delta, redis::IntegerArgument(call.args[2]));
  if (delta == std::numeric_limits<int64_t>::min()) {
    return ReplyError(call, "ERR decrement would overflow");
  }
  return AddInteger(call, -delta);
}

absl::Status IncrByFloat(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  long double value = 0;
  if (entry.found()) {
    if (!entry.is_string()) return ReplyWrongType(call);
    KDB_ASSIGN_OR_REPLY(value, redis::FloatArgument(entry.value()));
  }
  KDB_ASSIGN_OR_REPLY(long double delta, redis::FloatArgument(call.args[2]));
  value += delta;
  if (!std::isfinite(value)) {
    return ReplyError(call, "ERR increment would produce NaN or Infinity");
  }
  const std::string text = redis::FormatLongDouble(value);
  call.keys.StoreString(entry, text, entry.found() ? entry.head().expire_ms : std::nullopt);
  call.reply.Bulk(text);
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"incr", Incr},
    {"decr", Decr},
    {"incrby", IncrBy},
    {"decrby", DecrBy},
    {"incrbyfloat", IncrByFloat},
};

}  // namespace

std::span<const ExecutorRow> StringNumberExecutors() { return kRows; }

}  // namespace kdb::exec

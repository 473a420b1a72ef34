// APPEND SETRANGE.
#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

constexpr std::string_view kTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

bool TooLong(const Call& call, uint64_t size, uint64_t more) {
  const uint64_t limit = call.env.limits.max_value_bytes;
  return size > limit || more > limit - size;
}

absl::Status Append(Call& call) {
  const std::string_view tail = call.args[2];
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  std::string value;
  if (entry.found()) {
    if (!entry.is_string()) return ReplyWrongType(call);
    if (TooLong(call, entry.value().size(), tail.size())) return ReplyError(call, kTooLong);
    value.reserve(entry.value().size() + tail.size());
    value = entry.value();
  }
  value += tail;
  call.keys.StoreString(entry, value, entry.found() ? entry.head().expire_ms : std::nullopt);
  call.reply.Integer(static_cast<int64_t>(value.size()));
  return absl::OkStatus();
}

absl::Status SetRange(Call& call) {
  KDB_ASSIGN_OR_REPLY(int64_t offset, redis::IntegerArgument(call.args[2]));
  if (offset < 0) return ReplyError(call, "ERR offset is out of range");
  const std::string_view patch = call.args[3];
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
  std::string value(entry.found() ? entry.value() : std::string_view());
  if (patch.empty()) {
    call.reply.Integer(static_cast<int64_t>(value.size()));
    return absl::OkStatus();
  }
  if (TooLong(call, offset, patch.size())) return ReplyError(call, kTooLong);
  const size_t end = offset + patch.size();
  if (value.size() < end) value.resize(end, '\0');
  value.replace(offset, patch.size(), patch);
  call.keys.StoreString(entry, value, entry.found() ? entry.head().expire_ms : std::nullopt);
  call.reply.Integer(static_cast<int64_t>(value.size()));
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {{"append", Append}, {"setrange", SetRange}};

}  // namespace

std::span<const ExecutorRow> StringRangeExecutors() { return kRows; }

}  // namespace kdb::exec

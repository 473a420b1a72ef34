// GET MGET STRLEN GETRANGE SUBSTR.
#include <algorithm>

#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

absl::Status Get(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.Find(call.args[1], &entry));
  if (!entry.found()) {
    call.reply.Null();
  } else if (!entry.is_string()) {
    return ReplyWrongType(call);
  } else {
    call.reply.Bulk(entry.value());
  }
  return absl::OkStatus();
}

absl::Status MGet(Call& call) {
  call.reply.Array(call.args.size() - 1);
  Entry entry;
  for (std::string_view key : call.args.subspan(1)) {
    KDB_RETURN_IF_ERROR(call.keys.Find(key, &entry));
    const bool string = entry.found() && entry.is_string();
    if (!ReplyFits(call, string ? entry.value().size() : 0)) {
      return ReplyTooLarge(call, "ask for fewer keys at once");
    }
    if (string) {
      call.reply.Bulk(entry.value());
    } else {
      call.reply.Null();
    }
  }
  return absl::OkStatus();
}

absl::Status StrLen(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.Find(call.args[1], &entry));
  if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
  call.reply.Integer(entry.found() ? static_cast<int64_t>(entry.value().size()) : 0);
  return absl::OkStatus();
}

// Positions from `start` to `end` inclusive, negative ones counted from the end.
std::string_view Range(std::string_view value, int64_t start, int64_t end) {
  const auto size = static_cast<int64_t>(value.size());
  if (start < 0 && end < 0 && start > end) return {};
  if (start < 0) start = std::max<int64_t>(0, size + start);
  if (end < 0) end = std::max<int64_t>(0, size + end);
  end = std::min(end, size - 1);
  if (start > end) return {};
  return value.substr(start, end - start + 1);
}

absl::Status GetRange(Call& call) {
  KDB_ASSIGN_OR_REPLY(int64_t start, redis::IntegerArgument(call.args[2]));
  KDB_ASSIGN_OR_REPLY(int64_t end, redis::IntegerArgument(call.args[3]));
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.Find(call.args[1], &entry));
  if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
  call.reply.Bulk(entry.found() ? Range(entry.value(), start, end) : std::string_view());
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"get", Get}, {"mget", MGet}, {"strlen", StrLen}, {"getrange", GetRange}, {"substr", GetRange},
};

}  // namespace

std::span<const ExecutorRow> StringReadExecutors() { return kRows; }

}  // namespace kdb::exec

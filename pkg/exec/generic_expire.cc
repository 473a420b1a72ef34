// EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME PERSIST.
#include <algorithm>

#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

constexpr int64_t kNoKey = -2;
constexpr int64_t kNoExpiry = -1;

absl::Status ExpireGeneric(Call& call, redis::ExpireUnit unit) {
  KDB_ASSIGN_OR_REPLY(redis::ExpireRequest request,
                      redis::ParseExpire(call.args, call.command.name, unit, call.keys.now_ms()));
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  bool allowed =
      entry.found() && redis::ExpireAllowed(request.flags, entry.head().expire_ms, request.when_ms);
  if (allowed) call.keys.SetExpiry(entry, request.when_ms);
  call.reply.Integer(allowed ? 1 : 0);
  return absl::OkStatus();
}

absl::Status Expire(Call& call) {
  return ExpireGeneric(call, {.seconds = true, .absolute = false});
}
absl::Status PExpire(Call& call) {
  return ExpireGeneric(call, {.seconds = false, .absolute = false});
}
absl::Status ExpireAt(Call& call) {
  return ExpireGeneric(call, {.seconds = true, .absolute = true});
}
absl::Status PExpireAt(Call& call) {
  return ExpireGeneric(call, {.seconds = false, .absolute = true});
}

absl::Status TtlGeneric(Call& call, redis::ExpireUnit unit) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.Find(call.args[1], &entry));
  if (!entry.found() || !entry.head().expire_ms) {
    call.reply.Integer(entry.found() ? kNoExpiry : kNoKey);
    return absl::OkStatus();
  }
  int64_t ms = *entry.head().expire_ms;
  if (!unit.absolute) ms = std::max<int64_t>(0, ms - call.keys.now_ms());
  // Rounded as Redis does, in unsigned arithmetic: the largest expiry has no room for the half.
  call.reply.Integer(unit.seconds ? static_cast<int64_t>((static_cast<uint64_t>(ms) + 500) / 1000)
                                  : ms);
  return absl::OkStatus();
}

absl::Status Ttl(Call& call) { return TtlGeneric(call, {.seconds = true, .absolute = false}); }
absl::Status PTtl(Call& call) { return TtlGeneric(call, {.seconds = false, .absolute = false}); }
absl::Status ExpireTime(Call& call) {
  return TtlGeneric(call, {.seconds = true, .absolute = true});
}
absl::Status PExpireTime(Call& call) {
  return TtlGeneric(call, {.seconds = false, .absolute = true});
}

absl::Status Persist(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  bool had_expiry = entry.found() && entry.head().expire_ms;
  if (had_expiry) call.keys.SetExpiry(entry, std::nullopt);
  call.reply.Integer(had_expiry ? 1 : 0);
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"expire", Expire},
    {"pexpire", PExpire},
    {"expireat", ExpireAt},
    {"pexpireat", PExpireAt},
    {"ttl", Ttl},
    {"pttl", PTtl},
    {"expiretime", ExpireTime},
    {"pexpiretime", PExpireTime},
    {"persist", Persist},
};

}  // namespace

std::span<const ExecutorRow> GenericExpireExecutors() { return kRows; }

}  // namespace kdb::exec

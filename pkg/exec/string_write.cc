// SET SETNX SETEX PSETEX GETSET GETDEL GETEX MSET MSETNX.
#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

using redis::Expiry;
using redis::SetOptions;

void ReplyOldValue(Call& call, const Entry& entry) {
  if (entry.found()) {
    call.reply.Bulk(entry.value());
  } else {
    call.reply.Null();
  }
}

absl::Status Set(Call& call) {
  KDB_ASSIGN_OR_REPLY(SetOptions options, redis::ParseSetOptions(call.args));
  std::optional<int64_t> expire_ms;
  if (options.expiry.has_time()) {
    KDB_ASSIGN_OR_REPLY(expire_ms,
                        redis::ExpiryMillis(options.expiry, call.keys.now_ms(), call.command.name));
  }
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (options.get) {
    if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
    ReplyOldValue(call, entry);
  }
  if (options.condition != SetOptions::Condition::kAlways &&
      entry.found() != (options.condition == SetOptions::Condition::kIfPresent)) {
    if (!options.get) call.reply.Null();
    return absl::OkStatus();
  }
  if (options.expiry.kind == Expiry::Kind::kKeep && entry.found()) {
    expire_ms = entry.head().expire_ms;
  }
  call.keys.StoreString(entry, call.args[2], expire_ms);
  if (!options.get) call.reply.Ok();
  return absl::OkStatus();
}

absl::Status SetNx(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (!entry.found()) call.keys.StoreString(entry, call.args[2], std::nullopt);
  call.reply.Integer(entry.found() ? 0 : 1);
  return absl::OkStatus();
}

// SETEX and PSETEX: key, time, value.
absl::Status SetWithTime(Call& call, Expiry::Kind unit) {
  const Expiry expiry{unit, call.args[2]};
  KDB_ASSIGN_OR_REPLY(int64_t expire_ms,
                      redis::ExpiryMillis(expiry, call.keys.now_ms(), call.command.name));
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  call.keys.StoreString(entry, call.args[3], expire_ms);
  call.reply.Ok();
  return absl::OkStatus();
}
absl::Status SetEx(Call& call) { return SetWithTime(call, Expiry::Kind::kSeconds); }
absl::Status PSetEx(Call& call) { return SetWithTime(call, Expiry::Kind::kMillis); }

absl::Status GetSet(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
  ReplyOldValue(call, entry);
  call.keys.StoreString(entry, call.args[2], std::nullopt);
  return absl::OkStatus();
}

absl::Status GetDel(Call& call) {
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (entry.found() && !entry.is_string()) return ReplyWrongType(call);
  ReplyOldValue(call, entry);
  if (entry.found()) call.keys.Erase(entry);
  return absl::OkStatus();
}

absl::Status GetEx(Call& call) {
  KDB_ASSIGN_OR_REPLY(Expiry expiry, redis::ParseGetexOptions(call.args));
  Entry entry;
  KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[1], &entry));
  if (!entry.found()) {
    call.reply.Null();
    return absl::OkStatus();
  }
  if (!entry.is_string()) return ReplyWrongType(call);
  std::optional<int64_t> expire_ms;
  if (expiry.has_time()) {
    KDB_ASSIGN_OR_REPLY(expire_ms,
                        redis::ExpiryMillis(expiry, call.keys.now_ms(), call.command.name));
  }
  call.reply.Bulk(entry.value());
  bool persists = expiry.kind == Expiry::Kind::kPersist && entry.head().expire_ms;
  if (expiry.has_time() || persists) call.keys.SetExpiry(entry, expire_ms);
  return absl::OkStatus();
}

absl::Status StoreAll(Call& call) {
  Entry entry;
  for (size_t i = 1; i < call.args.size(); i += 2) {
    KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[i], &entry));
    call.keys.StoreString(entry, call.args[i + 1], std::nullopt);
  }
  return absl::OkStatus();
}

absl::Status MSet(Call& call) {
  if (call.args.size() % 2 == 0) {
    return ReplyError(call, redis::WrongArgumentCount(call.command.name));
  }
  KDB_RETURN_IF_ERROR(StoreAll(call));
  call.reply.Ok();
  return absl::OkStatus();
}

absl::Status MSetNx(Call& call) {
  if (call.args.size() % 2 == 0) {
    return ReplyError(call, redis::WrongArgumentCount(call.command.name));
  }
  Entry entry;
  for (size_t i = 1; i < call.args.size(); i += 2) {
    KDB_RETURN_IF_ERROR(call.keys.FindForWrite(call.args[i], &entry));
    if (entry.found()) {
      call.reply.Integer(0);
      return absl::OkStatus();
    }
  }
  KDB_RETURN_IF_ERROR(StoreAll(call));
  call.reply.Integer(1);
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"set", Set},       {"setnx", SetNx}, {"setex", SetEx}, {"psetex", PSetEx}, {"getset", GetSet},
    {"getdel", GetDel}, {"getex", GetEx}, {"mset", MSet},   {"msetnx", MSetNx},
};

}  // namespace

std::span<const ExecutorRow> StringWriteExecutors() { return kRows; }

}  // namespace kdb::exec

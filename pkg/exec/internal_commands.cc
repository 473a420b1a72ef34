// Commands that proxies send and no client can name.
#include "pkg/redis/internal_commands.h"

#include <string>
#include <vector>

#include "pkg/exec/call.h"
#include "pkg/exec/ordered_scan.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

absl::StatusOr<bool> Switch(std::string_view text) {
  if (text != "0" && text != "1") return redis::SyntaxError();
  return text == "1";
}

absl::Status KdbScan(Call& call) {
  KDB_ASSIGN_OR_REPLY(int64_t limit, redis::IntegerArgument(call.args[3]));
  if (limit < 0) return ReplyError(call, redis::NotAnInteger());
  KDB_ASSIGN_OR_REPLY(bool reverse, Switch(call.args[4]));
  KDB_ASSIGN_OR_REPLY(bool keys_only, Switch(call.args[5]));
  const OrderedScan scan{call.args[1], call.args[2], static_cast<size_t>(limit), reverse,
                         keys_only};
  // The header, with the number of elements, comes before what is counted.
  std::string body;
  resp::ReplyWriter elements(call.reply.version(), body);
  size_t count = 0;
  KDB_ASSIGN_OR_RETURN(
      bool cut_short,
      ScanInOrder(call.env, scan, [&](std::string_view key, std::string_view value) {
        elements.Bulk(key);
        if (!keys_only) elements.Bulk(value);
        count += keys_only ? 1 : 2;
      }));
  if (cut_short) elements.Null();
  call.reply.Array(count + (cut_short ? 1 : 0));
  call.reply.Raw(body);
  return absl::OkStatus();
}

// What INFO's "# Keyspace" tells: keys, and those of them with an expiry.
absl::Status KdbKeyspace(Call& call) {
  const Environment& env = call.env;
  uint64_t keys = 0, expires = 0;
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) {
    if (!env.owned[slot]) continue;
    keys += env.counts.Keys(slot);
    expires += env.counts.Expires(slot);
  }
  call.reply.Array(2);
  call.reply.Integer(static_cast<int64_t>(keys));
  call.reply.Integer(static_cast<int64_t>(expires));
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {{redis::kKdbKeyspace.name, KdbKeyspace},
                                 {redis::kKdbScan.name, KdbScan}};

}  // namespace

std::span<const ExecutorRow> InternalExecutors() { return kRows; }

const redis::Command* FindInternalCommand(std::string_view name) {
  for (const redis::Command* command : {&redis::kKdbKeyspace, &redis::kKdbScan}) {
    if (command->name == name) return command;
  }
  return nullptr;
}

absl::Status ResolveOnShard(std::span<const std::string_view> args,
                            const redis::Command** command) {
  const redis::Command* internal = FindInternalCommand(args[0]);
  if (internal == nullptr) return redis::Resolve(args, command);
  if (static_cast<int>(args.size()) != internal->arity) {
    return redis::WrongArgumentCount(internal->name);
  }
  *command = internal;
  return absl::OkStatus();
}

}  // namespace kdb::exec

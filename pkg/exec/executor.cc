#include "pkg/exec/executor.h"

#include <fmt/format.h>

#include "absl/container/flat_hash_map.h"
#include "pkg/exec/call.h"

namespace kdb::exec {
namespace {

using Executors = absl::flat_hash_map<std::string_view, Executor>;

Executors AllExecutors() {
  Executors all;
  for (std::span<const ExecutorRow> family :
       {StringReadExecutors(), StringWriteExecutors(), StringRangeExecutors(),
        StringNumberExecutors(), GenericKeyExecutors(), GenericExpireExecutors(),
        GenericKeyspaceExecutors(), GenericScanExecutors(), InternalExecutors()}) {
    for (const ExecutorRow& row : family) all.emplace(row.name, row.run);
  }
  return all;
}

Executor FindExecutor(std::string_view name) {
  static const Executors kExecutors = AllExecutors();
  auto it = kExecutors.find(name);
  return it == kExecutors.end() ? nullptr : it->second;
}

}  // namespace

absl::Status ReplyWrongType(Call& call) {
  return ReplyError(call, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

absl::Status ReplyTooLarge(Call& call, std::string_view advice) {
  call.env.reply_too_large = true;
  call.reply.Rewind(call.reply_begin);
  return ReplyError(call, fmt::format("ERR the reply would be too large: {}", advice));
}

absl::Status Execute(const redis::Command& command, std::span<const std::string_view> args,
                     Environment& env, resp::ReplyWriter& reply) {
  Keyspace keys(env);
  Call call{command, args, env, keys, reply};
  Executor run = FindExecutor(command.name);
  if (run == nullptr) return ReplyError(call, "ERR this command does not run on a shard");
  // Who mixes these up sent a write as a read; nothing was executed.
  if ((command.flags & redis::kWrite) && env.writer == nullptr) {
    return ReplyError(call, "ERR a command that writes was sent as a read");
  }
  return run(call);
}

}  // namespace kdb::exec

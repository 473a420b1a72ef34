// What an executor gets, and the families of executors.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/base/status.h"
#include "pkg/exec/executor.h"
#include "pkg/exec/keyspace.h"

namespace kdb::exec {

struct Call {
  const redis::Command& command;
  std::span<const std::string_view> args;
  Environment& env;
  Keyspace& keys;
  resp::ReplyWriter& reply;
  size_t reply_begin = reply.size();
};

// Writes one reply, and nothing of it before it knows that it can go on, or rewinds; a non-OK
// status is the engine's. One whose reply has no bound of its own asks ReplyFits as it goes.
using Executor = absl::Status (*)(Call& call);

struct ExecutorRow {
  std::string_view name;  // as in the command table
  Executor run;
};

std::span<const ExecutorRow> StringReadExecutors();
std::span<const ExecutorRow> StringWriteExecutors();
std::span<const ExecutorRow> StringRangeExecutors();
std::span<const ExecutorRow> StringNumberExecutors();
std::span<const ExecutorRow> GenericKeyExecutors();
std::span<const ExecutorRow> GenericExpireExecutors();
std::span<const ExecutorRow> GenericKeyspaceExecutors();
std::span<const ExecutorRow> GenericScanExecutors();
std::span<const ExecutorRow> InternalExecutors();

// The command's error as its reply.
inline absl::Status ReplyError(Call& call, const absl::Status& error) {
  call.reply.Error({error.message().data(), error.message().size()});
  return absl::OkStatus();
}
inline absl::Status ReplyError(Call& call, std::string_view text) {
  call.reply.Error(text);
  return absl::OkStatus();
}
absl::Status ReplyWrongType(Call& call);

// Whether the reply may grow by a bulk of `bytes`, when `pending` bytes of it are not in call.reply
// yet.
inline bool ReplyFits(const Call& call, size_t bytes, size_t pending = 0) {
  constexpr size_t kBulkFrame = 1 + 20 + 2 + 2;  // $, length, two newlines
  const size_t size = call.reply.size() - call.reply_begin + pending + bytes + kBulkFrame;
  return size <= call.env.limits.max_reply_bytes;
}
// An error in place of what was written of the reply: `advice` is how to ask for less.
absl::Status ReplyTooLarge(Call& call, std::string_view advice);

}  // namespace kdb::exec

// KDB_ASSIGN_OR_REPLY(auto x, Parse()): declares x from an absl::StatusOr, or makes the error this
// command's reply and returns. A `Call& call` is in scope.
#define KDB_ASSIGN_OR_REPLY(lhs, expr) \
  KDB_ASSIGN_OR_REPLY_INNER(KDB_STATUS_CONCAT(kdb_parsed_, __LINE__), lhs, expr)
#define KDB_ASSIGN_OR_REPLY_INNER(tmp, lhs, expr)       \
  auto tmp = (expr);                                    \
  if (!tmp.ok()) return ReplyError(call, tmp.status()); \
  lhs = *std::move(tmp)

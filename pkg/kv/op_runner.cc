#include "pkg/kv/op_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/base/status.h"
#include "pkg/exec/ordered_scan.h"
#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::kv {
namespace {

constexpr std::string_view kNoRoom =
    "OOM the disks of the shard group are nearly full; nothing was executed. Reads and deletions "
    "are served";

bool RunsOnShards(const redis::Command& command) {
  return command.route != redis::Route::kProxy && command.route != redis::Route::kCatalog;
}

}  // namespace

absl::Status OpRunner::Run(const wire::Op& op, size_t room, wire::BatchReplyBuilder& results) {
  result_ = {};
  reply_.clear();
  KDB_RETURN_IF_ERROR(Judge(op, room));
  result_.reply = reply_;
  ++counts_[static_cast<size_t>(result_.code)];
  results.AddResult(result_);
  return absl::OkStatus();
}

absl::Status OpRunner::Judge(const wire::Op& op, size_t room) {
  // Lateness first: it is final, while the other refusals ask for another attempt.
  if (op.not_after_ms != 0 && op.not_after_ms < env_.now_ms) {
    result_.code = wire::ResultCode::kLate;
    return absl::OkStatus();
  }
  if (!CheckSlots(op)) return absl::OkStatus();
  if (op.no_room) {
    Fail(op.resp_version, kNoRoom);
    return absl::OkStatus();
  }
  if (op.kind != wire::OpKind::kSingle) {
    Fail(op.resp_version, "ERR transactions and scripts are not supported");
    return absl::OkStatus();
  }
  if (op.commands.size() != 1 || !op.watches.empty()) {
    Fail(op.resp_version, "ERR malformed op");
    return absl::OkStatus();
  }
  return RunSingle(op, room);
}

bool OpRunner::CheckSlots(const wire::Op& op) {
  claimed_.reset();
  for (uint16_t slot : op.slots) {
    if (slot >= shard::kSlots) {
      Fail(op.resp_version, "ERR malformed op: no such slot");
      return false;
    }
    if (!ownership_.owned[slot]) {
      result_.code = wire::ResultCode::kNotOwner;
      result_.epoch = ownership_.epochs[slot];
      return false;
    }
    claimed_.set(slot);
  }
  return true;
}

bool OpRunner::CheckKeys(const redis::Command& command, const wire::CommandArgs& args) {
  redis::KeyPositions(command, args, &positions_);
  for (int position : positions_) {
    if (!claimed_[shard::SlotOf(args[static_cast<size_t>(position)])]) return false;
  }
  return true;
}

absl::Status OpRunner::RunSingle(const wire::Op& op, size_t room) {
  const wire::CommandArgs& args = op.commands.front();
  const redis::Command* command = nullptr;
  if (absl::Status resolved = exec::ResolveOnShard(args, &command); !resolved.ok()) {
    Fail(op.resp_version, std::string(resolved.message()));
    return absl::OkStatus();
  }
  bool writes = (command->flags & redis::kWrite) != 0;
  if (!RunsOnShards(*command) || (writes && env_.writer == nullptr)) {
    Fail(op.resp_version, fmt::format("ERR '{}' cannot run here", command->name));
    return absl::OkStatus();
  }
  if (!CheckKeys(*command, args)) {
    Fail(op.resp_version, "ERR malformed op: a key is in none of its slots");
    return absl::OkStatus();
  }
  // A write happens: its reply is kept whatever its size.
  const bool bounded = op.bounded_reply && !writes;
  env_.limits.max_reply_bytes =
      std::min({limits_.max_reply_bytes, room, bounded ? kBoundedReplyBytes : SIZE_MAX});
  env_.reply_too_large = false;
  resp::ReplyWriter reply(static_cast<resp::Version>(op.resp_version), reply_);
  KDB_RETURN_IF_ERROR(exec::Execute(*command, args, env_, reply));
  if (bounded && (env_.reply_too_large || reply_.size() > kBoundedReplyBytes)) {
    result_.code = wire::ResultCode::kByIndex;
  }
  return absl::OkStatus();
}

void OpRunner::Fail(uint8_t resp_version, std::string_view error) {
  result_.code = wire::ResultCode::kFailed;
  resp::ReplyWriter(static_cast<resp::Version>(resp_version), reply_).Error(error);
}

}  // namespace kdb::kv

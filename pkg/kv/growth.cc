#include "pkg/kv/growth.h"

#include <algorithm>

#include "pkg/exec/ordered_scan.h"
#include "pkg/redis/command.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {
namespace {

bool MayGrow(const wire::CommandArgs& args) {
  const redis::Command* command = nullptr;
  return exec::ResolveOnShard(args, &command).ok() && (command->flags & redis::kDenyOom) != 0;
}

// All or nothing, as of a transaction that has such a command.
bool MayGrow(const wire::Op& op) {
  return std::any_of(op.commands.begin(), op.commands.end(),
                     [](const wire::CommandArgs& args) { return MayGrow(args); });
}

}  // namespace

size_t RefuseGrowth(std::string_view batch, std::string* rewritten) {
  absl::StatusOr<wire::Batch> decoded = wire::DecodeBatch(batch);
  if (!decoded.ok()) return 0;  // apply says so
  size_t refused = 0;
  wire::BatchBuilder builder;
  for (wire::Op& op : decoded->ops) {
    if (MayGrow(op)) {
      ++refused;
      op.no_room = true;
      op.watches.clear();
      op.commands.clear();
    }
    builder.AddOp(op);
  }
  if (refused > 0) *rewritten = builder.Finish(decoded->header);
  return refused;
}

}  // namespace kdb::kv

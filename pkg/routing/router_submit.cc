// From a client's command to ops.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "pkg/redis/parse.h"
#include "pkg/routing/router_impl.h"

namespace kdb::routing {
namespace {

constexpr int kScanSlotShift = 48;  // a SCAN cursor is slot | hash48 (design 2)

std::string_view KeyAt(std::span<const std::string_view> args, int position) {
  return args[static_cast<size_t>(position)];
}

void Own(std::span<const std::string_view> args, OwnedArgs* out) {
  size_t bytes = 0;
  for (std::string_view arg : args) bytes += arg.size();
  out->Reserve(args.size(), bytes);
  for (std::string_view arg : args) out->Add(arg);
}

// What is no cursor goes to slot 0's owner, which words the error.
uint64_t ParseCursor(std::string_view text) {
  uint64_t cursor = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  return error == std::errc() && end == text.data() + text.size() ? cursor : 0;
}

// The reply to a cursor behind the last key; its options are judged all the same.
std::string ScanEnd(std::span<const std::string_view> args) {
  absl::StatusOr<redis::ScanOptions> options = redis::ParseScan(args);
  if (options.ok()) return "*2\r\n$1\r\n0\r\n*0\r\n";
  return fmt::format("-{}\r\n", std::string(options.status().message()));
}

}  // namespace

OpPtr RouterImpl::NewOp(const redis::Command& command, resp::Version version, ClientRef client) {
  auto op = std::make_unique<ShardOp>();
  op->command = &command;
  op->resp_version = static_cast<uint8_t>(version);
  op->write = (command.flags & redis::kWrite) != 0;
  op->client = client.get();
  op->hold = std::move(client);
  op->submitted = clock_.Monotonic();
  op->deadline = op->submitted + options_.deadline;
  return op;
}

void RouterImpl::Submit(const redis::Command& command, const std::vector<std::string_view>& args,
                        resp::Version version, ClientOrder& client, ReplyDone done) {
  OpPtr op = NewOp(command, version, ClientLanes::StateOf(client));
  op->done = std::move(done);
  switch (command.route) {
    case redis::Route::kSingle:
      return SubmitSingle(std::move(op), args);
    case redis::Route::kSplitKeys:
      return SubmitSplit(std::move(op), args);
    case redis::Route::kScan:
      return SubmitScan(std::move(op), args);
    case redis::Route::kAllGroups:
      Own(args, &op->args);
      return FanOut(std::move(op));
    case redis::Route::kProxy:
    case redis::Route::kCatalog:
      break;
  }
  op->done(NotForShardsReply(command.name));
}

void RouterImpl::SubmitToAll(const redis::Command& command,
                             const std::vector<std::string_view>& args, resp::Version version,
                             RepliesDone done) {
  OpPtr op = NewOp(command, version, ClientRef());
  Own(args, &op->args);
  op->call = std::make_shared<SplitCall>(command, version, std::move(done));
  op->part = op->call->AddPart({});
  FanOut(std::move(op));
}

void RouterImpl::SubmitSingle(OpPtr op, ArgSpan args) {
  redis::KeyPositions(*op->command, args, &positions_);
  if (positions_.empty()) return op->done(kNoKeyReply);
  uint16_t first = shard::ClusterSlot(KeyAt(args, positions_.front()));
  for (size_t i = 1; i < positions_.size(); ++i) {
    if (shard::ClusterSlot(KeyAt(args, positions_[i])) != first) return op->done(kCrossSlotReply);
  }
  op->slots.push_back(first >> 4);
  Own(args, &op->args);
  Register(*op);
  Route(std::move(op));
}

void RouterImpl::AddSlot(ShardOp& op, shard::Slot slot) {
  auto it = std::lower_bound(op.slots.begin(), op.slots.end(), slot);
  if (it == op.slots.end() || *it != slot) op.slots.insert(it, slot);
}

uint64_t RouterImpl::CommonOwner(const ShardOp& op) const {
  uint64_t gid = routes_.owner(op.slots.front()).gid;
  for (shard::Slot slot : op.slots) {
    if (routes_.owner(slot).gid != gid) return 0;
  }
  return gid;
}

void RouterImpl::SubmitSplit(OpPtr op, ArgSpan args) {
  redis::KeyPositions(*op->command, args, &positions_);
  if (positions_.empty()) return op->done(kNoKeyReply);
  for (int position : positions_) AddSlot(*op, shard::SlotOf(KeyAt(args, position)));
  if (op->slots.size() > 1 && CommonOwner(*op) == 0) {
    Register(*op);
    return Scatter(std::move(op), args, positions_);
  }
  Own(args, &op->args);
  Register(*op);
  Route(std::move(op));
}

void RouterImpl::Scatter(OpPtr op, ArgSpan args, std::span<const int> positions) {
  std::map<uint64_t, std::vector<uint32_t>> by_group;
  for (uint32_t i = 0; i < positions.size(); ++i) {
    by_group[routes_.owner(shard::SlotOf(KeyAt(args, positions[i]))).gid].push_back(i);
  }
  std::vector<uint32_t> outer;  // where the keys stand in the whole command
  if (op->call == nullptr) {
    for (uint32_t i = 0; i < positions.size(); ++i) outer.push_back(i);
    op->call =
        std::make_shared<SplitCall>(*op->command, resp::Version{op->resp_version},
                                    static_cast<uint32_t>(positions.size()), std::move(op->done));
  } else {
    outer = op->call->keys_of(op->part);
    op->call->Replace(op->part);
  }
  std::vector<OpPtr> parts;
  for (const auto& [gid, keys] : by_group) {
    OpPtr part = NewOp(*op->command, resp::Version{op->resp_version}, op->hold);
    part->number = op->number;
    part->submitted = op->submitted;
    part->deadline = op->deadline;
    part->call = op->call;
    CutArgs(*op->command, args, positions, keys, &part->args);
    std::vector<uint32_t> whole;
    for (uint32_t key : keys) {
      AddSlot(*part, shard::SlotOf(KeyAt(args, positions[key])));
      whole.push_back(outer[key]);
    }
    part->part = op->call->AddPart(std::move(whole));
    parts.push_back(std::move(part));
  }
  Release(std::move(op));
  for (OpPtr& part : parts) {
    Register(*part);
    Route(std::move(part));
  }
}

// A cursor whose slot nobody owns goes on at the next slot that has an owner: there is nothing
// between.
void RouterImpl::SubmitScan(OpPtr op, ArgSpan args) {
  op->scan = true;
  if (args.size() < 2) return op->done(kScanArityReply);
  if (table_ == nullptr || table_->serving_groups().empty()) {
    Own(args, &op->args);
    Register(*op);
    return unrouted_.PushBack(std::move(op));
  }
  uint64_t cursor = ParseCursor(args[1]);
  uint64_t slot = cursor >> kScanSlotShift;
  while (slot < shard::kSlots && routes_.owner(static_cast<shard::Slot>(slot)).gid == 0) ++slot;
  if (slot >= shard::kSlots) return op->done(ScanEnd(args));
  std::vector<std::string_view> moved;
  std::string next;
  if (slot != cursor >> kScanSlotShift) {
    next = std::to_string(slot << kScanSlotShift);
    moved.assign(args.begin(), args.end());
    moved[1] = next;
    args = moved;
  }
  op->slots.push_back(static_cast<shard::Slot>(slot));
  Own(args, &op->args);
  Register(*op);
  Route(std::move(op));
}

void RouterImpl::FanOut(OpPtr op) {
  op->scan = true;
  Register(*op);
  if (table_ == nullptr || table_->serving_groups().empty()) {
    return unrouted_.PushBack(std::move(op));
  }
  const std::vector<uint64_t>& groups = table_->serving_groups();
  if (groups.size() == 1) {
    op->gid = groups.front();
    return Dispatch(std::move(op));
  }
  if (op->call == nullptr) {
    op->call = std::make_shared<SplitCall>(*op->command, resp::Version{op->resp_version}, 0,
                                           std::move(op->done));
  } else {
    op->call->Replace(op->part);
  }
  std::vector<OpPtr> parts;
  for (uint64_t gid : groups) {
    OpPtr part = NewOp(*op->command, resp::Version{op->resp_version}, op->hold);
    part->number = op->number;
    part->submitted = op->submitted;
    part->deadline = op->deadline;
    part->scan = true;
    part->args = op->args;
    part->call = op->call;
    part->part = op->call->AddPart({});
    part->gid = gid;
    parts.push_back(std::move(part));
  }
  Release(std::move(op));
  for (OpPtr& part : parts) {
    Register(*part);
    Dispatch(std::move(part));
  }
}

}  // namespace kdb::routing

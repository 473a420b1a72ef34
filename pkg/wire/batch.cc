#include "pkg/wire/batch.h"

#include <fmt/format.h>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/base/status.h"
#include "pkg/wire/strict_reader.h"

namespace kdb::wire {
namespace {

constexpr uint8_t kVersion = 1;

// Offsets in the fixed head, which Finish fills in.
constexpr size_t kSessionAt = 1;
constexpr size_t kSeqAt = 9;
constexpr size_t kAckBelowAt = 17;
constexpr size_t kOpsAt = 25;
constexpr size_t kHeadBytes = 29;

// The first byte of an op.
constexpr uint8_t kKindMask = 0x03;
constexpr uint8_t kResp3 = 0x04;
constexpr uint8_t kResume = 0x08;
constexpr uint8_t kBoundedReply = 0x10;
constexpr uint8_t kNoRoom = 0x20;
constexpr uint8_t kKnownBits = 0x3f;

// The fewest bytes of each repeated part: bounds what a count may claim before anything is
// allocated.
constexpr size_t kMinOpBytes = 1 + 8 + 1 + 1 + 1;
constexpr size_t kMinWatchBytes = 1 + 1;
constexpr size_t kMinCommandBytes = 1 + 1;
constexpr size_t kMinArgumentBytes = 1;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("batch: {}", what));
}

uint8_t OpBits(const Op& op) {
  auto bits = static_cast<uint8_t>(op.kind);
  if (op.resp_version == 3) bits |= kResp3;
  if (op.resume) bits |= kResume;
  if (op.bounded_reply) bits |= kBoundedReply;
  if (op.no_room) bits |= kNoRoom;
  return bits;
}

bool SetOpBits(uint8_t bits, Op* op) {
  if ((bits & ~kKnownBits) != 0) return false;
  if ((bits & kKindMask) > static_cast<uint8_t>(OpKind::kScript)) return false;
  op->kind = static_cast<OpKind>(bits & kKindMask);
  op->resp_version = (bits & kResp3) != 0 ? 3 : 2;
  op->resume = (bits & kResume) != 0;
  op->bounded_reply = (bits & kBoundedReply) != 0;
  op->no_room = (bits & kNoRoom) != 0;
  return true;
}

bool ReadCommand(StrictReader& in, CommandArgs* args) {
  size_t count = in.Count(kMinArgumentBytes);
  if (count == 0) return false;
  args->reserve(count);
  for (size_t i = 0; i < count; ++i) args->push_back(in.LengthPrefixed());
  return in.ok();
}

bool ReadOp(StrictReader& in, Op* op) {
  if (!SetOpBits(in.Little<uint8_t>(), op)) return false;
  op->not_after_ms = in.Little<int64_t>();
  size_t slots = in.Count(sizeof(uint16_t));
  op->slots.reserve(slots);
  for (size_t i = 0; i < slots; ++i) op->slots.push_back(in.Little<uint16_t>());
  size_t watches = in.Count(kMinWatchBytes);
  op->watches.reserve(watches);
  for (size_t i = 0; i < watches; ++i) {
    std::string_view key = in.LengthPrefixed();
    op->watches.push_back({key, in.Varint()});
  }
  size_t commands = in.Count(kMinCommandBytes);
  op->commands.reserve(commands);
  for (size_t i = 0; i < commands; ++i) {
    if (!ReadCommand(in, &op->commands.emplace_back())) return false;
  }
  return in.ok();
}

}  // namespace

void BatchBuilder::Start() {
  body_.assign(kHeadBytes, '\0');
  ops_ = 0;
}

void BatchBuilder::AddOp(const Op& op) {
  if (body_.empty()) Start();
  AppendLittle(body_, OpBits(op));
  AppendLittle(body_, op.not_after_ms);
  AppendVarint(body_, op.slots.size());
  for (uint16_t slot : op.slots) AppendLittle(body_, slot);
  AppendVarint(body_, op.watches.size());
  for (const Watch& watch : op.watches) {
    AppendLengthPrefixed(body_, watch.key);
    AppendVarint(body_, watch.rev);
  }
  AppendVarint(body_, op.commands.size());
  for (const CommandArgs& args : op.commands) {
    KDB_CHECK(!args.empty(), "a command has a name");
    AppendVarint(body_, args.size());
    for (std::string_view arg : args) AppendLengthPrefixed(body_, arg);
  }
  ++ops_;
}

std::string BatchBuilder::Finish(const BatchHeader& header) {
  if (body_.empty()) Start();
  char* head = body_.data();
  StoreLittle(head, kVersion);
  StoreLittle(head + kSessionAt, header.session);
  StoreLittle(head + kSeqAt, header.seq);
  StoreLittle(head + kAckBelowAt, header.ack_below);
  StoreLittle(head + kOpsAt, static_cast<uint32_t>(ops_));
  std::string out = std::move(body_);
  body_.clear();
  ops_ = 0;
  return out;
}

absl::StatusOr<BatchHeader> DecodeBatchHeader(std::string_view bytes) {
  if (bytes.size() < kHeadBytes) return Malformed("shorter than its head");
  auto version = static_cast<uint8_t>(bytes[0]);
  if (version != kVersion) return Malformed(fmt::format("version {} is unknown", version));
  BatchHeader header;
  header.session = LoadLittle<uint64_t>(bytes.data() + kSessionAt);
  header.seq = LoadLittle<uint64_t>(bytes.data() + kSeqAt);
  header.ack_below = LoadLittle<uint64_t>(bytes.data() + kAckBelowAt);
  return header;
}

absl::StatusOr<Batch> DecodeBatch(std::string_view bytes) {
  Batch batch;
  KDB_ASSIGN_OR_RETURN(batch.header, DecodeBatchHeader(bytes));
  auto ops = LoadLittle<uint32_t>(bytes.data() + kOpsAt);
  StrictReader in(bytes.substr(kHeadBytes));
  if (ops > in.rest().size() / kMinOpBytes) return Malformed("more ops than bytes");
  batch.ops.reserve(ops);
  for (uint32_t i = 0; i < ops; ++i) {
    if (!ReadOp(in, &batch.ops.emplace_back()))
      return Malformed(fmt::format("op {} is malformed", i));
  }
  if (!in.done()) return Malformed("bytes are left over");
  return batch;
}

}  // namespace kdb::wire

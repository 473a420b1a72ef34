#include "pkg/kv/entry.h"

#include <fmt/format.h>

#include "pkg/base/coding.h"

namespace kdb::kv {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kHeadBytes = 1 + 1 + 8;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("entry: {} is malformed", what));
}

absl::Status Newer(std::string_view what, uint8_t value) {
  return absl::UnimplementedError(fmt::format("{} {} of entries is not known", what, value));
}

}  // namespace

std::string EncodeEntry(EntryKind kind, int64_t leader_time_ms, std::string_view body) {
  std::string out;
  out.reserve(kHeadBytes + body.size());
  AppendLittle(out, kVersion);
  AppendLittle(out, static_cast<uint8_t>(kind));
  AppendLittle(out, leader_time_ms);
  out.append(body);
  return out;
}

absl::StatusOr<DecodedEntry> DecodeEntry(std::string_view bytes) {
  ByteReader in(bytes);
  auto version = in.Little<uint8_t>();
  // What follows the version is its own business.
  if (version > kVersion) return Newer("version", version);
  auto kind = in.Little<uint8_t>();
  auto time = in.Little<int64_t>();
  if (!in.ok() || version == 0 || kind == 0) return Malformed("the head");
  if (kind > static_cast<uint8_t>(EntryKind::kHashVerdict)) return Newer("kind", kind);
  return DecodedEntry{static_cast<EntryKind>(kind), time, in.rest()};
}

bool IsHashCheck(std::string_view bytes) {
  return bytes.size() >= kHeadBytes && bytes[0] == kVersion &&
         bytes[1] == static_cast<char>(EntryKind::kHashCheck);
}

std::string EncodeStateHash(const raft::StateHash& hash) {
  std::string out;
  AppendLittle(out, hash.index);
  AppendLittle(out, hash.digest);
  return out;
}

absl::StatusOr<raft::StateHash> DecodeStateHash(std::string_view bytes) {
  ByteReader in(bytes);
  raft::StateHash hash;
  hash.index = in.Little<uint64_t>();
  hash.digest = in.Little<uint64_t>();
  if (!in.done()) return Malformed("a state's hash");
  return hash;
}

std::string EncodeOwnSlots(const OwnSlots& own) {
  std::string out;
  AppendVarint(out, own.epoch);
  AppendVarint(out, own.assignment);
  AppendVarint(out, own.slots.size());
  for (shard::Slot slot : own.slots) AppendLittle(out, slot);
  return out;
}

absl::StatusOr<OwnSlots> DecodeOwnSlots(std::string_view bytes) {
  ByteReader in(bytes);
  OwnSlots own;
  own.epoch = in.Varint();
  own.assignment = in.Varint();
  uint64_t count = in.Varint();
  if (count > in.rest().size() / sizeof(shard::Slot)) return Malformed("own slots");
  own.slots.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    auto slot = in.Little<shard::Slot>();
    if (slot >= shard::kSlots) return Malformed("a slot of own slots");
    own.slots.push_back(slot);
  }
  if (!in.done()) return Malformed("own slots");
  return own;
}

std::string EncodeOpenedSession(const OpenedSession& opened) {
  std::string out;
  AppendLittle(out, opened.session);
  AppendLittle(out, opened.log_time_ms);
  return out;
}

absl::StatusOr<OpenedSession> DecodeOpenedSession(std::string_view bytes) {
  ByteReader reader(bytes);
  OpenedSession opened{.session = reader.Little<uint64_t>(),
                       .log_time_ms = reader.Little<int64_t>()};
  if (!reader.done()) return absl::InvalidArgumentError("not the result of opening a session");
  return opened;
}

std::string EncodeRaiseLevel(uint32_t level) {
  std::string out;
  AppendLittle(out, level);
  return out;
}

absl::StatusOr<uint32_t> DecodeRaiseLevel(std::string_view bytes) {
  ByteReader in(bytes);
  auto level = in.Little<uint32_t>();
  if (!in.done()) return Malformed("the apply level");
  return level;
}

std::string EncodeSessions(const std::vector<uint64_t>& sessions) {
  std::string out;
  out.reserve(sessions.size() * sizeof(uint64_t));
  for (uint64_t session : sessions) AppendLittle(out, session);
  return out;
}

absl::StatusOr<std::vector<uint64_t>> DecodeSessions(std::string_view bytes) {
  if (bytes.size() % sizeof(uint64_t) != 0) return Malformed("the list of sessions");
  ByteReader in(bytes);
  std::vector<uint64_t> sessions(bytes.size() / sizeof(uint64_t));
  for (uint64_t& session : sessions) session = in.Little<uint64_t>();
  return sessions;
}

std::string EncodeExpireKeys(const ExpireKeys& step) {
  std::string out;
  AppendLittle(out, step.from);
  AppendLittle(out, step.limit);
  return out;
}

absl::StatusOr<ExpireKeys> DecodeExpireKeys(std::string_view bytes) {
  if (bytes.empty()) return ExpireKeys{};
  ByteReader in(bytes);
  ExpireKeys step;
  step.from = in.Little<shard::Slot>();
  step.limit = in.Little<uint32_t>();
  if (!in.done() || step.from >= shard::kSlots || step.limit == 0 || step.limit > kMaxExpireKeys) {
    return Malformed("the expiry step");
  }
  return step;
}

}  // namespace kdb::kv

#include "pkg/kv/system_records.h"

#include <fmt/format.h>

#include "pkg/base/coding.h"

namespace kdb::kv {
namespace {

constexpr uint8_t kVersion = 1;

// The byte after the slot; 0 is storage's system record.
enum Kind : uint8_t { kGroup = 1, kSlot = 2, kSession = 3, kReply = 4 };

std::string Prefix(uint8_t kind) {
  std::string key;
  AppendBig(key, shard::kSystemSlot);
  AppendLittle(key, kind);
  return key;
}

KeyRange All(uint8_t kind) { return {Prefix(kind), Prefix(kind + 1)}; }

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(fmt::format("{}: damaged, or written by a newer release", what));
}

// What follows the prefix, when it has so many bytes.
absl::StatusOr<std::string_view> Suffix(std::string_view key, Kind kind, size_t bytes) {
  std::string prefix = Prefix(kind);
  if (!key.starts_with(prefix) || key.size() != prefix.size() + bytes) {
    return Damaged("key of a system record");
  }
  return key.substr(prefix.size());
}

}  // namespace

std::string GroupKey() { return Prefix(kGroup); }

std::string SlotKey(shard::Slot slot) {
  std::string key = Prefix(kSlot);
  AppendBig(key, slot);
  return key;
}

std::string SessionKey(uint64_t session) {
  std::string key = Prefix(kSession);
  AppendBig(key, session);
  return key;
}

std::string ReplyKey(uint64_t session, uint64_t seq) {
  std::string key = Prefix(kReply);
  AppendBig(key, session);
  AppendBig(key, seq);
  return key;
}

KeyRange SlotKeys() { return All(kSlot); }
KeyRange SessionKeys() { return All(kSession); }
KeyRange ReplyKeys() { return All(kReply); }

absl::StatusOr<shard::Slot> DecodeSlotKey(std::string_view key) {
  auto suffix = Suffix(key, kSlot, sizeof(shard::Slot));
  if (!suffix.ok()) return suffix.status();
  auto slot = LoadBig<shard::Slot>(suffix->data());
  if (slot >= shard::kSlots) return Damaged("key of a slot record");
  return slot;
}

absl::StatusOr<uint64_t> DecodeSessionKey(std::string_view key) {
  auto suffix = Suffix(key, kSession, sizeof(uint64_t));
  if (!suffix.ok()) return suffix.status();
  return LoadBig<uint64_t>(suffix->data());
}

absl::StatusOr<ReplyId> DecodeReplyKey(std::string_view key) {
  auto suffix = Suffix(key, kReply, 2 * sizeof(uint64_t));
  if (!suffix.ok()) return suffix.status();
  return ReplyId{LoadBig<uint64_t>(suffix->data()),
                 LoadBig<uint64_t>(suffix->data() + sizeof(uint64_t))};
}

std::string EncodeSlotRecord(const SlotRecord& record) {
  std::string out;
  AppendLittle(out, kVersion);
  AppendLittle(out, static_cast<uint8_t>(record.state));
  for (uint64_t v :
       {record.epoch, record.move, record.attempt, record.peer, record.keys, record.expires}) {
    AppendVarint(out, v);
  }
  return out;
}

absl::StatusOr<SlotRecord> DecodeSlotRecord(std::string_view bytes) {
  ByteReader in(bytes);
  SlotRecord record;
  auto version = in.Little<uint8_t>();
  auto state = in.Little<uint8_t>();
  record.state = static_cast<SlotState>(state);
  for (uint64_t* v : {&record.epoch, &record.move, &record.attempt, &record.peer, &record.keys,
                      &record.expires}) {
    *v = in.Varint();
  }
  if (!in.done() || version != kVersion || state > static_cast<uint8_t>(SlotState::kMoved)) {
    return Damaged("slot record");
  }
  return record;
}

std::string EncodeSessionRecord(const SessionRecord& record) {
  std::string out;
  AppendLittle(out, kVersion);
  AppendVarint(out, record.last);
  AppendVarint(out, record.ack_below);
  AppendLittle(out, record.active_ms);
  return out;
}

absl::StatusOr<SessionRecord> DecodeSessionRecord(std::string_view bytes) {
  ByteReader in(bytes);
  SessionRecord record;
  auto version = in.Little<uint8_t>();
  record.last = in.Varint();
  record.ack_below = in.Varint();
  record.active_ms = in.Little<int64_t>();
  if (!in.done() || version != kVersion) return Damaged("session record");
  return record;
}

std::string EncodeGroupRecord(const GroupRecord& record) {
  std::string out;
  AppendLittle(out, kVersion);
  AppendVarint(out, record.gid);
  for (uint64_t word : record.hash_seed) AppendLittle(out, word);
  AppendLengthPrefixed(out, record.cluster_id);
  return out;
}

absl::StatusOr<GroupRecord> DecodeGroupRecord(std::string_view bytes) {
  ByteReader in(bytes);
  GroupRecord record;
  auto version = in.Little<uint8_t>();
  record.gid = in.Varint();
  for (uint64_t& word : record.hash_seed) word = in.Little<uint64_t>();
  record.cluster_id = std::string(in.LengthPrefixed());
  if (!in.done() || version != kVersion) return Damaged("group record");
  return record;
}

}  // namespace kdb::kv

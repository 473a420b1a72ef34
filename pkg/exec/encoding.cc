#include "pkg/exec/encoding.h"

#include "pkg/base/coding.h"

namespace kdb::exec {
namespace {

constexpr uint8_t kTypeMask = 0x0F;
constexpr uint8_t kHasExpiry = 0x10;
constexpr uint8_t kHasGeneration = 0x20;
constexpr uint8_t kVersionMask = 0xC0;
constexpr uint8_t kVersion1 = 0x40;

}  // namespace

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
  }
  return "none";
}

void EncodeHead(const Head& head, std::string* out) {
  out->clear();
  out->reserve(24 + head.payload.size());
  uint8_t tag = kVersion1 | static_cast<uint8_t>(head.type);
  if (head.expire_ms) tag |= kHasExpiry;
  if (head.generation != 0) tag |= kHasGeneration;
  AppendLittle(*out, tag);
  AppendVarint(*out, head.rev);
  if (head.expire_ms) AppendLittle(*out, *head.expire_ms);
  if (head.generation != 0) AppendVarint(*out, head.generation);
  out->append(head.payload);
}

bool DecodeHead(std::string_view bytes, Head* head) {
  ByteReader in(bytes);
  const auto tag = in.Little<uint8_t>();
  if ((tag & kVersionMask) != kVersion1) return false;
  if ((tag & kTypeMask) != static_cast<uint8_t>(Type::kString)) return false;
  head->type = static_cast<Type>(tag & kTypeMask);
  head->rev = in.Varint();
  head->expire_ms.reset();
  if (tag & kHasExpiry) head->expire_ms = in.Little<int64_t>();
  head->generation = tag & kHasGeneration ? in.Varint() : 0;
  head->payload = in.rest();
  return in.ok();
}

void SlotPrefix(uint32_t slot, std::string* out) {
  out->clear();
  AppendBig(*out, static_cast<uint16_t>(slot));
}

void RecordPrefix(shard::Slot slot, RecordKind kind, std::string* out) {
  SlotPrefix(slot, out);
  out->push_back(static_cast<char>(kind));
}

void RecordEnd(shard::Slot slot, RecordKind kind, std::string* out) {
  SlotPrefix(slot, out);
  out->push_back(static_cast<char>(static_cast<uint8_t>(kind) + 1));
}

void HeadKey(shard::Slot slot, std::string_view user_key, std::string* out) {
  RecordPrefix(slot, RecordKind::kHead, out);
  out->append(user_key);
}

void ExpiryKey(shard::Slot slot, int64_t expire_ms, std::string_view user_key, std::string* out) {
  RecordPrefix(slot, RecordKind::kExpiry, out);
  AppendBig(*out, static_cast<uint64_t>(expire_ms));
  out->append(user_key);
}

void ScanKey(shard::Slot slot, uint64_t hash48, std::string_view user_key, std::string* out) {
  RecordPrefix(slot, RecordKind::kScan, out);
  AppendBig(*out, static_cast<uint16_t>(hash48 >> 32));
  AppendBig(*out, static_cast<uint32_t>(hash48));
  out->append(user_key);
}

uint64_t Hash48(const SipKey& seed, std::string_view user_key) {
  return SipHash24(seed, user_key) >> 16;
}

shard::Slot SlotOfRecord(std::string_view record_key) {
  return LoadBig<uint16_t>(record_key.data());
}

int64_t TimeOfExpiryKey(std::string_view record_key) {
  return static_cast<int64_t>(LoadBig<uint64_t>(record_key.data() + kKeyPrefixBytes));
}

uint64_t HashOfScanKey(std::string_view record_key) {
  const char* hash = record_key.data() + kKeyPrefixBytes;
  return uint64_t{LoadBig<uint16_t>(hash)} << 32 | LoadBig<uint32_t>(hash + 2);
}

}  // namespace kdb::exec

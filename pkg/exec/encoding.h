// Bytes of the records of the user's data; FORMAT.md describes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/base/siphash.h"
#include "pkg/shard/slot.h"

namespace kdb::exec {

enum class Type : uint8_t { kString = 1 };

// As TYPE replies.
std::string_view TypeName(Type type);

struct Head {
  Type type = Type::kString;
  uint64_t rev = 0;
  std::optional<int64_t> expire_ms;
  uint64_t generation = 0;   // collections; 0: none
  std::string_view payload;  // of a decoded head: points into its bytes
};

// Replaces `*out`.
void EncodeHead(const Head& head, std::string* out);
// False when the bytes are not a head.
bool DecodeHead(std::string_view bytes, Head* head);

enum class RecordKind : uint8_t { kHead = 0, kElement = 1, kExpiry = 2, kScan = 3 };

inline constexpr size_t kKeyPrefixBytes = 3;                       // slot and kind
inline constexpr size_t kExpiryPrefixBytes = kKeyPrefixBytes + 8;  // and the time
inline constexpr size_t kScanPrefixBytes = kKeyPrefixBytes + 6;    // and hash48

// Builders replace `*out`; a caller reuses its buffer.
void RecordPrefix(shard::Slot slot, RecordKind kind, std::string* out);
// The first key behind all records of that kind in the slot.
void RecordEnd(shard::Slot slot, RecordKind kind, std::string* out);
void HeadKey(shard::Slot slot, std::string_view user_key, std::string* out);
void ExpiryKey(shard::Slot slot, int64_t expire_ms, std::string_view user_key, std::string* out);
void ScanKey(shard::Slot slot, uint64_t hash48, std::string_view user_key, std::string* out);
// The first key of a slot; that of slot + 1 is the end of its range.
void SlotPrefix(uint32_t slot, std::string* out);

inline constexpr uint64_t kHash48Max = (uint64_t{1} << 48) - 1;
uint64_t Hash48(const SipKey& seed, std::string_view user_key);

// Of keys that the builders made.
shard::Slot SlotOfRecord(std::string_view record_key);
int64_t TimeOfExpiryKey(std::string_view record_key);
uint64_t HashOfScanKey(std::string_view record_key);

}  // namespace kdb::exec

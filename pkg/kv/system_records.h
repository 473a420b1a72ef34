// The replicated state of a shard that is not user data: records below slot 0xFFFF (design 2).
// FORMAT.md has the bytes. Decoders answer DATA_LOSS on what the encoders did not write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/base/siphash.h"
#include "pkg/shard/slot.h"

namespace kdb::kv {

enum class SlotState : uint8_t {
  kAbsent = 0,     // not here; a higher epoch may have been seen
  kOwned = 1,      // served
  kFrozen = 2,     // being handed over: no op is executed
  kImporting = 3,  // data arrive, not served
  kMoved = 4,      // handed over to `peer`
};

struct SlotRecord {
  SlotState state = SlotState::kAbsent;
  uint64_t epoch = 0;
  uint64_t move = 0;     // meta's log index of the plan or the assignment
  uint64_t attempt = 0;  // of the move
  uint64_t peer = 0;     // the other group of a move
  uint64_t keys = 0;
  uint64_t expires = 0;  // keys with an expiry

  friend bool operator==(const SlotRecord&, const SlotRecord&) = default;
};

struct SessionRecord {
  uint64_t last = 0;       // the newest batch executed
  uint64_t ack_below = 0;  // the client has the replies of batches below it
  int64_t active_ms = 0;   // log time of the newest batch, or of the opening

  friend bool operator==(const SessionRecord&, const SessionRecord&) = default;
};

// Whose state it is: written once, with the first entry.
struct GroupRecord {
  std::string cluster_id;
  uint64_t gid = 0;
  SipKey hash_seed = {};

  friend bool operator==(const GroupRecord&, const GroupRecord&) = default;
};

std::string GroupKey();
std::string SlotKey(shard::Slot slot);
std::string SessionKey(uint64_t session);
std::string ReplyKey(uint64_t session, uint64_t seq);

// All keys of one kind: [first, second).
struct KeyRange {
  std::string lower;
  std::string upper;
};
KeyRange SlotKeys();
KeyRange SessionKeys();
KeyRange ReplyKeys();

absl::StatusOr<shard::Slot> DecodeSlotKey(std::string_view key);
absl::StatusOr<uint64_t> DecodeSessionKey(std::string_view key);
struct ReplyId {
  uint64_t session;
  uint64_t seq;
};
absl::StatusOr<ReplyId> DecodeReplyKey(std::string_view key);

std::string EncodeSlotRecord(const SlotRecord& record);
absl::StatusOr<SlotRecord> DecodeSlotRecord(std::string_view bytes);
std::string EncodeSessionRecord(const SessionRecord& record);
absl::StatusOr<SessionRecord> DecodeSessionRecord(std::string_view bytes);
std::string EncodeGroupRecord(const GroupRecord& record);
absl::StatusOr<GroupRecord> DecodeGroupRecord(std::string_view bytes);

}  // namespace kdb::kv

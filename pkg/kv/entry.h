// What a shard group's raft entries carry: a kind, the leader's log time, and a body. FORMAT.md has
// the bytes, and says which entries a replica answers as malformed and at which it halts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/raft/types.h"
#include "pkg/shard/slot.h"

namespace kdb::kv {

enum class EntryKind : uint8_t {
  kBatch = 1,           // body: a wire::Batch as the proxy encoded it
  kOpenSession = 2,     // result: OpenedSession
  kCloseSession = 3,    // body: the session
  kExpireSessions = 4,  // body: sessions, after >= 10 min of silence in the leader's monotonic time
  kTick = 5,            // nothing but the time
  kExpireKeys = 6,      // deletes keys whose time has come, a bounded number
  kOwnSlots = 7,        // body: slots, epoch, assignment: first ownership (design 5, step 0)
  kRaiseLevel = 8,      // body: the apply level from here on; a replica that does not know it halts
  kHashCheck = 9,       // every replica hashes its state as of here
  kHashVerdict = 10,    // body: StateHash, what a quorum had at an earlier kHashCheck
};

// The entry's bytes: one allocation, the batch copied once.
std::string EncodeEntry(EntryKind kind, int64_t leader_time_ms, std::string_view body);

struct DecodedEntry {
  EntryKind kind;
  int64_t leader_time_ms;
  std::string_view body;
};
// UNIMPLEMENTED: a later version or kind, of a newer release: not to be skipped. INVALID_ARGUMENT:
// no release writes it.
absl::StatusOr<DecodedEntry> DecodeEntry(std::string_view bytes);

// Whether an entry's bytes are a kHashCheck; cheap.
bool IsHashCheck(std::string_view bytes);

struct OwnSlots {
  std::vector<shard::Slot> slots;
  uint64_t epoch = 0;
  uint64_t assignment = 0;
};
std::string EncodeOwnSlots(const OwnSlots& own);
absl::StatusOr<OwnSlots> DecodeOwnSlots(std::string_view bytes);

// Deletes at most `limit` keys whose time has come, from slot `from` on and around. An empty body
// is the default.
inline constexpr uint32_t kMaxExpireKeys = 4096;
struct ExpireKeys {
  shard::Slot from = 0;
  uint32_t limit = 512;
};
std::string EncodeExpireKeys(const ExpireKeys& step);
absl::StatusOr<ExpireKeys> DecodeExpireKeys(std::string_view bytes);

// The result of kOpenSession; not in the log.
struct OpenedSession {
  uint64_t session = 0;  // 0: there are too many
  int64_t log_time_ms = 0;
};
std::string EncodeOpenedSession(const OpenedSession& opened);
absl::StatusOr<OpenedSession> DecodeOpenedSession(std::string_view bytes);

std::string EncodeStateHash(const raft::StateHash& hash);
absl::StatusOr<raft::StateHash> DecodeStateHash(std::string_view bytes);

std::string EncodeRaiseLevel(uint32_t level);
absl::StatusOr<uint32_t> DecodeRaiseLevel(std::string_view bytes);

std::string EncodeSessions(const std::vector<uint64_t>& sessions);
absl::StatusOr<std::vector<uint64_t>> DecodeSessions(std::string_view bytes);

}  // namespace kdb::kv

// Executes commands on a shard's records. Deterministic: time is log time, randomness comes from
// rev; the same commands on the same records give the same records and replies on every replica.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/base/siphash.h"
#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"
#include "pkg/shard/slot.h"
#include "pkg/storage/engine.h"
#include "pkg/storage/overlay.h"

namespace kdb::exec {

using SlotSet = std::bitset<shard::kSlots>;

// Exact numbers of keys per slot, kept by the shard (design 2: DBSIZE is cheap and exact). A key
// whose time has come counts until it is deleted.
class KeyCounts {
 public:
  virtual ~KeyCounts() = default;
  virtual uint64_t Keys(shard::Slot slot) const = 0;
  virtual uint64_t Expires(shard::Slot slot) const = 0;  // of them: keys with an expiry
  virtual void AddKeys(shard::Slot slot, int64_t delta) = 0;
  virtual void AddExpires(shard::Slot slot, int64_t delta) = 0;
};

// They decide replies, so they are the same on every replica.
struct Limits {
  size_t max_value_bytes = 16 << 20;  // APPEND and SETRANGE count too
  // Of one command that only reads, while it is executed too; beyond, its reply is an error. One
  // that writes answers with at most one value.
  size_t max_reply_bytes = 128 << 20;
};

// Where a command runs.
struct Environment {
  const storage::Reader& reader;       // for writes: the overlay itself
  storage::Overlay* writer = nullptr;  // nullptr: reads only
  SipKey hash_seed = {};
  const SlotSet& owned;  // keyless commands cover these
  KeyCounts& counts;
  Limits limits;
  int64_t now_ms = 0;  // log time: what expires by it is hidden from readers and deleted by writers
  uint64_t* rev = nullptr;  // the group's counter: incremented per mutating command
  // When set: raised to the latest expiry time of the keys that were hidden because their time has
  // come. A read that hides a key which was there by applied log time must not be answered yet
  // (design 4), so its caller asks.
  int64_t* newest_hidden_ms = nullptr;
  // What expires later than this is not hidden yet, even if it has expired by now_ms.
  int64_t hide_until_ms = INT64_MAX;
  // When set: lowered to the earliest expiry time that a key was given.
  int64_t* earliest_given_ms = nullptr;
  // Set by a command whose reply would have been larger than the limit.
  bool reply_too_large = false;
};

// Runs one resolved command (redis::Resolve) and appends exactly one reply to `reply`. Errors of
// the command are RESP errors in the reply; a non-OK status is the engine's, and nothing may be
// kept then.
absl::Status Execute(const redis::Command& command, std::span<const std::string_view> args,
                     Environment& env, resp::ReplyWriter& reply);

// Deletes up to `limit` keys whose time has come, by the expiry index of the owned slots, starting
// at *slot and leaving there where to go on. The number deleted. A logged background step.
absl::StatusOr<size_t> DeleteExpired(Environment& env, size_t limit, shard::Slot* slot);

// The earliest expiry time of a key in the owned slots, kNoExpiry when none has one. One seek per
// slot that has such keys.
inline constexpr int64_t kNoExpiry = INT64_MAX;
absl::StatusOr<int64_t> EarliestExpiry(const Environment& env);

}  // namespace kdb::exec

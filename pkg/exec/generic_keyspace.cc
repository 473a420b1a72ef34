// DBSIZE FLUSHALL FLUSHDB KEYS RANDOMKEY.
#include <string>

#include "pkg/base/random.h"
#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

uint64_t OwnedKeys(const Environment& env) {
  uint64_t keys = 0;
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) {
    if (env.owned[slot]) keys += env.counts.Keys(slot);
  }
  return keys;
}

absl::Status DbSize(Call& call) {
  call.reply.Integer(static_cast<int64_t>(OwnedKeys(call.env)));
  return absl::OkStatus();
}

// Sets the counts of an owned slot to 0; whether it had keys.
bool ForgetKeys(Environment& env, uint32_t slot) {
  const auto owned = static_cast<shard::Slot>(slot);
  const uint64_t keys = env.counts.Keys(owned);
  if (keys == 0) return false;
  env.counts.AddKeys(owned, -static_cast<int64_t>(keys));
  env.counts.AddExpires(owned, -static_cast<int64_t>(env.counts.Expires(owned)));
  return true;
}

// ASYNC and SYNC are the same here: range deletions are quick. Adjacent slots share one, for every
// one that is not flushed yet slows readers down (design 2).
absl::Status Flush(Call& call) {
  if (call.args.size() > 2 ||
      (call.args.size() == 2 && !redis::EqualsIgnoreCase(call.args[1], "async") &&
       !redis::EqualsIgnoreCase(call.args[1], "sync"))) {
    return ReplyError(call, redis::SyntaxError());
  }
  Environment& env = call.env;
  ++*env.rev;
  std::string begin, end;
  uint32_t first = 0;
  while (first < shard::kSlots) {
    bool any = false;
    uint32_t next = first;
    for (; next < shard::kSlots && env.owned[next]; ++next) any |= ForgetKeys(env, next);
    if (any) {
      SlotPrefix(first, &begin);
      SlotPrefix(next, &end);
      env.writer->DeleteRange(begin, end);
    }
    first = next + 1;
  }
  call.reply.Ok();
  return absl::OkStatus();
}

// The only slot whose keys can begin with `prefix`, if there is one: its hash tag is complete.
bool SlotOfPrefix(std::string_view prefix, shard::Slot* slot) {
  const size_t open = prefix.find('{');
  if (open == std::string_view::npos) return false;
  const size_t close = prefix.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return false;
  *slot = shard::SlotOf(prefix);
  return true;
}

// The elements of an array whose number is not known yet.
struct Elements {
  explicit Elements(const Call& call) : writer(call.reply.version(), body) {}

  std::string body;
  resp::ReplyWriter writer;
  size_t count = 0;
};

// Adds the live keys of a slot that begin with `prefix` and match. False when they do not fit.
absl::StatusOr<bool> MatchingKeys(Call& call, shard::Slot slot, std::string_view prefix,
                                  storage::Iterator& it, Elements& keys) {
  std::string record;
  HeadKey(slot, prefix, &record);
  for (it.Seek(record); it.Valid() && it.key().starts_with(record); it.Next()) {
    const std::string_view key = it.key().substr(kKeyPrefixBytes);
    if (!redis::GlobMatch(call.args[1], key)) continue;
    KDB_ASSIGN_OR_RETURN(bool live, call.keys.IsLive(it.value()));
    if (!live) continue;
    if (!ReplyFits(call, key.size(), keys.body.size())) return false;
    keys.writer.Bulk(key);
    ++keys.count;
  }
  KDB_RETURN_IF_ERROR(it.status());
  return true;
}

absl::Status Keys(Call& call) {
  bool exact = false;
  const std::string prefix = redis::GlobPrefix(call.args[1], &exact);
  shard::Slot only = shard::SlotOf(prefix);
  const bool one_slot = exact || SlotOfPrefix(prefix, &only);
  std::string end;
  SlotPrefix(shard::kSlots, &end);
  const auto it = call.env.reader.NewIterator({}, end);
  Elements keys(call);
  for (shard::Slot slot = one_slot ? only : 0; slot < shard::kSlots; ++slot) {
    if (call.env.owned[slot] && call.env.counts.Keys(slot) > 0) {
      KDB_ASSIGN_OR_RETURN(bool fit, MatchingKeys(call, slot, prefix, *it, keys));
      if (!fit) return ReplyTooLarge(call, "narrow the pattern, or use SCAN");
    }
    if (one_slot) break;
  }
  call.reply.Array(keys.count);
  call.reply.Raw(keys.body);
  return absl::OkStatus();
}

// The first live key at or behind a record of the scan index, in its slot.
absl::StatusOr<bool> FirstLive(Call& call, shard::Slot slot, const std::string& from,
                               std::string* key) {
  std::string end;
  RecordEnd(slot, RecordKind::kScan, &end);
  const auto it = call.env.reader.NewIterator(from, end);
  Entry entry;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    *key = it->key().substr(kScanPrefixBytes);
    KDB_RETURN_IF_ERROR(call.keys.Find(*key, &entry));
    if (entry.found()) return true;
  }
  KDB_RETURN_IF_ERROR(it->status());
  return false;
}

// Slots by their numbers of keys, then a random hash; expired keys that are still there are passed
// over, to the next slots if need be.
absl::Status RandomKey(Call& call) {
  const Environment& env = call.env;
  const uint64_t keys = OwnedKeys(env);
  if (keys == 0) {
    call.reply.Null();
    return absl::OkStatus();
  }
  Random random(*env.rev * 0x9e3779b97f4a7c15 ^ static_cast<uint64_t>(env.now_ms));
  uint64_t nth = random.Uniform(keys);
  shard::Slot slot = 0;
  for (; !env.owned[slot] || nth >= env.counts.Keys(slot); ++slot) {
    if (env.owned[slot]) nth -= env.counts.Keys(slot);
  }
  std::string from, key;
  ScanKey(slot, random.Next() & kHash48Max, {}, &from);
  for (int round = 0; round <= shard::kSlots; ++round) {
    if (env.owned[slot] && env.counts.Keys(slot) > 0) {
      KDB_ASSIGN_OR_RETURN(bool found, FirstLive(call, slot, from, &key));
      if (found) {
        call.reply.Bulk(key);
        return absl::OkStatus();
      }
    }
    // The second round is the first slot's again, from its beginning: behind the random hash there
    // may be nothing.
    if (round > 0) slot = (slot + 1) % shard::kSlots;
    RecordPrefix(slot, RecordKind::kScan, &from);
  }
  call.reply.Null();
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {
    {"dbsize", DbSize}, {"flushall", Flush},      {"flushdb", Flush},
    {"keys", Keys},     {"randomkey", RandomKey},
};

}  // namespace

std::span<const ExecutorRow> GenericKeyspaceExecutors() { return kRows; }

}  // namespace kdb::exec

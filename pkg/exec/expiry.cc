// Deletion of keys whose time has come, found by the expiry index.
#include <algorithm>
#include <string>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/exec/keyspace.h"

namespace kdb::exec {
namespace {

// The keys of a slot that are due, at most `limit`.
absl::Status DueKeys(const Environment& env, shard::Slot slot, size_t limit, storage::Iterator& it,
                     std::vector<std::string>* keys) {
  std::string prefix;
  RecordPrefix(slot, RecordKind::kExpiry, &prefix);
  for (it.Seek(prefix); it.Valid() && keys->size() < limit; it.Next()) {
    if (!it.key().starts_with(prefix) || TimeOfExpiryKey(it.key()) > env.now_ms) break;
    keys->emplace_back(it.key().substr(kExpiryPrefixBytes));
  }
  return it.status();
}

std::unique_ptr<storage::Iterator> SlotsIterator(const Environment& env) {
  std::string end;
  SlotPrefix(shard::kSlots, &end);
  return env.reader.NewIterator({}, end);
}

bool HasExpiries(const Environment& env, shard::Slot slot) {
  return env.owned[slot] && env.counts.Expires(slot) > 0;
}

}  // namespace

absl::StatusOr<size_t> DeleteExpired(Environment& env, size_t limit, shard::Slot* slot) {
  std::vector<std::string> keys;
  {
    const auto it =
        SlotsIterator(env);  // gone before the first change, which would make it invalid
    for (int visited = 0; visited < shard::kSlots && keys.size() < limit; ++visited) {
      *slot %= shard::kSlots;
      if (HasExpiries(env, *slot)) KDB_RETURN_IF_ERROR(DueKeys(env, *slot, limit, *it, &keys));
      if (keys.size() < limit) *slot = (*slot + 1) % shard::kSlots;
    }
  }
  Keyspace keyspace(env);
  Entry entry;
  for (const std::string& key : keys) KDB_RETURN_IF_ERROR(keyspace.FindForWrite(key, &entry));
  return keys.size();
}

absl::StatusOr<int64_t> EarliestExpiry(const Environment& env) {
  const auto it = SlotsIterator(env);
  int64_t earliest = kNoExpiry;
  std::string prefix;
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) {
    if (!HasExpiries(env, slot)) continue;
    prefix.clear();
    RecordPrefix(slot, RecordKind::kExpiry, &prefix);
    it->Seek(prefix);
    KDB_RETURN_IF_ERROR(it->status());
    if (it->Valid() && it->key().starts_with(prefix)) {
      earliest = std::min(earliest, TimeOfExpiryKey(it->key()));
    }
  }
  return earliest;
}

}  // namespace kdb::exec

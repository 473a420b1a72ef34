// SCAN, over the scan index. The cursor is `slot << 48 | hash48` of the first key not visited yet;
// 0 starts and ends. It never stands inside equal hashes, so a key that is there throughout is
// visited whatever else changes.
#include <algorithm>
#include <string>
#include <vector>

#include "pkg/exec/call.h"
#include "pkg/redis/parse.h"

namespace kdb::exec {
namespace {

constexpr int kHashBits = 48;
// A larger COUNT means this: one call's work is bounded.
constexpr int64_t kMaxVisits = 10000;
// A call ends with the key that takes its keys beyond this, as if COUNT had been smaller.
constexpr size_t kMaxPageBytes = 4 << 20;

class Scanner {
 public:
  Scanner(Call& call, const redis::ScanOptions& options)
      : call_(call), options_(options), visits_left_(std::min(options.count, kMaxVisits)) {
    std::string end;
    SlotPrefix(shard::kSlots, &end);
    it_ = call.env.reader.NewIterator({}, end);
  }

  // Visits keys from the cursor on and moves it.
  absl::Status Run(uint64_t* cursor) {
    // A slot beyond the last comes from no earlier call: nothing is left there.
    uint64_t hash = *cursor & kHash48Max;
    for (uint64_t slot = *cursor >> kHashBits; slot < shard::kSlots; ++slot, hash = 0) {
      *cursor = slot << kHashBits | hash;
      if (!call_.env.owned[slot]) return absl::OkStatus();  // another group goes on there
      if (call_.env.counts.Keys(slot) == 0) continue;
      KDB_ASSIGN_OR_RETURN(bool whole, VisitSlot(slot, &hash));
      if (!whole) {
        *cursor = slot << kHashBits | hash;
        return absl::OkStatus();
      }
    }
    *cursor = 0;
    return absl::OkStatus();
  }

  const std::vector<std::string>& keys() const { return keys_; }

 private:
  // From *hash on. False when it stopped early, at *hash.
  absl::StatusOr<bool> VisitSlot(shard::Slot slot, uint64_t* hash) {
    std::string record;
    RecordPrefix(slot, RecordKind::kScan, &record);
    const std::string prefix = record;
    ScanKey(slot, *hash, {}, &record);
    uint64_t last = *hash;
    for (it_->Seek(record); it_->Valid() && it_->key().starts_with(prefix); it_->Next()) {
      const uint64_t next = HashOfScanKey(it_->key());
      if (visits_left_ <= 0 && next != last) {
        *hash = next;
        return false;
      }
      last = next;
      --visits_left_;
      KDB_RETURN_IF_ERROR(Visit(it_->key().substr(kScanPrefixBytes)));
    }
    KDB_RETURN_IF_ERROR(it_->status());
    return true;
  }

  absl::Status Visit(std::string_view key) {
    if (!redis::GlobMatch(options_.match, key)) return absl::OkStatus();
    KDB_RETURN_IF_ERROR(call_.keys.Find(key, &entry_));
    if (!entry_.found()) return absl::OkStatus();
    if (options_.type.empty() ||
        redis::EqualsIgnoreCase(options_.type, TypeName(entry_.head().type))) {
      keys_.emplace_back(key);
      bytes_ += key.size();
      if (bytes_ > kMaxPageBytes) visits_left_ = 0;
    }
    return absl::OkStatus();
  }

  Call& call_;
  const redis::ScanOptions& options_;
  int64_t visits_left_;
  std::unique_ptr<storage::Iterator> it_;
  Entry entry_;
  std::vector<std::string> keys_;
  size_t bytes_ = 0;  // of keys_
};

absl::Status Scan(Call& call) {
  KDB_ASSIGN_OR_REPLY(redis::ScanOptions options, redis::ParseScan(call.args));
  uint64_t cursor = options.cursor;
  const uint64_t slot = cursor >> kHashBits;
  if (slot < shard::kSlots && !call.env.owned[slot]) {
    return ReplyError(call, "TRYAGAIN the slot of this cursor is not served here");
  }
  Scanner scanner(call, options);
  KDB_RETURN_IF_ERROR(scanner.Run(&cursor));
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(cursor));
  call.reply.Array(scanner.keys().size());
  for (const std::string& key : scanner.keys()) call.reply.Bulk(key);
  return absl::OkStatus();
}

constexpr ExecutorRow kRows[] = {{"scan", Scan}};

}  // namespace

std::span<const ExecutorRow> GenericScanExecutors() { return kRows; }

}  // namespace kdb::exec

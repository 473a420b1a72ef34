#include "pkg/exec/ordered_scan.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "pkg/base/status.h"
#include "pkg/exec/keyspace.h"

namespace kdb::exec {
namespace {

// A value up to this size is kept when its key is read ahead; a larger one is read again when its
// turn comes.
constexpr size_t kKeptValueBytes = 256;
// Of one slot, read ahead: it ends with the record that goes beyond.
constexpr size_t kReadAheadBytes = 64 << 10;

// Reads the heads of one slot in order, some keys at a time through an iterator that all slots
// share.
class SlotSource {
 public:
  struct Item {
    std::string key;
    std::string value;
    bool kept = false;  // value is set
  };

  SlotSource(shard::Slot slot, const Environment& env, const OrderedScan& scan, size_t chunk)
      : slot_(slot), env_(env), scan_(scan), chunk_(chunk) {}

  bool empty() const { return next_ == items_.size(); }
  const Item& front() const { return items_[next_]; }
  shard::Slot slot() const { return slot_; }

  // Moves to the next key, if there is one.
  absl::Status Advance(storage::Iterator& it) {
    ++next_;
    return next_ < items_.size() || done_ ? absl::OkStatus() : Fill(it);
  }

  // Reads the next keys behind those read so far.
  absl::Status Fill(storage::Iterator& it) {
    Position(it);
    items_.clear();
    next_ = 0;
    std::string lower, prefix;
    RecordPrefix(slot_, RecordKind::kHead, &prefix);
    HeadKey(slot_, scan_.start, &lower);
    size_t bytes = 0;
    while (items_.size() < chunk_ && bytes < kReadAheadBytes) {
      const bool within = it.Valid() && it.key().starts_with(prefix) && it.key() >= lower &&
                          (scan_.end.empty() || it.key().substr(kKeyPrefixBytes) < scan_.end);
      if (!within) {
        done_ = true;
        break;
      }
      KDB_ASSIGN_OR_RETURN(size_t kept, Add(it));
      bytes += kept;
      scan_.reverse ? it.Prev() : it.Next();
    }
    if (!items_.empty()) last_ = items_.back().key;
    return it.status();
  }

 private:
  void Position(storage::Iterator& it) {
    std::string record;
    if (!scan_.reverse) {
      HeadKey(slot_, started_ ? last_ : scan_.start, &record);
      if (started_) record.push_back('\0');  // the next possible key
      it.Seek(record);
    } else {
      if (started_ || !scan_.end.empty()) {
        HeadKey(slot_, started_ ? std::string_view(last_) : scan_.end, &record);
      } else {
        RecordEnd(slot_, RecordKind::kHead, &record);
      }
      it.SeekForPrev(record);
      if (it.Valid() && it.key() == record) it.Prev();
    }
    started_ = true;
  }
  // The bytes that are kept of it.
  absl::StatusOr<size_t> Add(const storage::Iterator& it) {
    Head head;
    if (!DecodeHead(it.value(), &head)) return absl::DataLossError("a key's head is damaged");
    if (head.type != Type::kString || Expired(env_, head)) return 0;
    Item& item = items_.emplace_back();
    item.key = it.key().substr(kKeyPrefixBytes);
    item.kept = !scan_.keys_only && head.payload.size() <= kKeptValueBytes;
    if (item.kept) item.value = head.payload;
    return item.key.size() + item.value.size();
  }

  shard::Slot slot_;
  const Environment& env_;
  const OrderedScan& scan_;
  size_t chunk_;
  std::vector<Item> items_;
  size_t next_ = 0;
  std::string last_;  // the last key read
  bool started_ = false;
  bool done_ = false;
};

// Merges the slots by a heap of their next keys.
class Merge {
 private:
  // Whether source a's next key comes after b's.
  auto Behind() {
    return [this](size_t a, size_t b) {
      int order = sources_[a].front().key.compare(sources_[b].front().key);
      return scan_.reverse ? order < 0 : order > 0;
    };
  }

 public:
  Merge(const Environment& env, const OrderedScan& scan, const ScanVisitor& visit)
      : env_(env), scan_(scan), visit_(visit) {
    std::string end;
    SlotPrefix(shard::kSlots, &end);
    it_ = env.reader.NewIterator({}, end);
  }

  absl::StatusOr<bool> Run() {
    KDB_RETURN_IF_ERROR(Start());
    size_t bytes = 0;
    for (size_t n = std::min(scan_.limit, kMaxScanLimit); n > 0 && !heap_.empty(); --n) {
      if (bytes > kMaxScanPageBytes) return true;
      std::pop_heap(heap_.begin(), heap_.end(), Behind());
      SlotSource& source = sources_[heap_.back()];
      KDB_RETURN_IF_ERROR(Emit(source, &bytes));
      KDB_RETURN_IF_ERROR(source.Advance(*it_));
      if (source.empty()) {
        heap_.pop_back();
      } else {
        std::push_heap(heap_.begin(), heap_.end(), Behind());
      }
    }
    return false;
  }

 private:
  // A page's keys are spread evenly over the slots, so each is read ahead a little more than its
  // share.
  absl::Status Start() {
    std::vector<shard::Slot> slots;
    for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) {
      if (env_.owned[slot] && env_.counts.Keys(slot) > 0) slots.push_back(slot);
    }
    if (slots.empty()) return absl::OkStatus();
    const size_t chunk = 2 + 2 * std::min(scan_.limit, kMaxScanLimit) / slots.size();
    sources_.reserve(slots.size());
    for (shard::Slot slot : slots) {
      SlotSource source(slot, env_, scan_, chunk);
      KDB_RETURN_IF_ERROR(source.Fill(*it_));
      if (source.empty()) continue;
      heap_.push_back(sources_.size());
      sources_.push_back(std::move(source));
    }
    std::make_heap(heap_.begin(), heap_.end(), Behind());
    return absl::OkStatus();
  }

  absl::Status Emit(const SlotSource& source, size_t* bytes) {
    const SlotSource::Item& item = source.front();
    std::string_view value = item.value;
    if (!scan_.keys_only && !item.kept) {
      HeadKey(source.slot(), item.key, &head_key_);
      KDB_ASSIGN_OR_RETURN(bool found, env_.reader.Get(head_key_, &record_));
      Head head;
      if (!found || !DecodeHead(record_, &head)) {
        return absl::DataLossError("a key's head is damaged");
      }
      value = head.payload;
    }
    *bytes += item.key.size() + value.size();
    visit_(item.key, value);
    return absl::OkStatus();
  }

  const Environment& env_;
  const OrderedScan& scan_;
  const ScanVisitor& visit_;
  std::unique_ptr<storage::Iterator> it_;
  std::vector<SlotSource> sources_;
  std::vector<size_t> heap_;
  std::string head_key_;
  std::string record_;
};

}  // namespace

absl::StatusOr<bool> ScanInOrder(const Environment& env, const OrderedScan& scan,
                                 const ScanVisitor& visit) {
  return Merge(env, scan, visit).Run();
}

}  // namespace kdb::exec

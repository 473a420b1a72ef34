#include "pkg/storage/overlay.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace kdb::storage {
namespace {

struct Entry {
  std::string key;
  std::string value;
  bool deleted = false;
  bool in_base = true;  // perhaps
};

// Entries by key, for iterators.
using SortedEntries = std::map<std::string_view, const Entry*>;

// Disjoint intervals [begin, end) of which the base's keys are gone.
class DeletedRanges {
 public:
  bool empty() const { return ends_.empty(); }
  void Clear() { ends_.clear(); }
  void AddTo(WriteBatch& batch) const {
    for (const auto& [begin, end] : ends_) batch.DeleteRange(begin, end);
  }

  void Add(std::string_view begin, std::string_view end) {
    std::string from(begin), to(end);
    auto it = ends_.upper_bound(from);
    if (it != ends_.begin() && std::prev(it)->second >= from) --it;
    while (it != ends_.end() && it->first <= to) {
      from = std::min(from, it->first);
      to = std::max(to, it->second);
      it = ends_.erase(it);
    }
    ends_.emplace(std::move(from), std::move(to));
  }

  // The interval that contains `key`, or nullptr.
  const std::pair<const std::string, std::string>* Find(std::string_view key) const {
    auto it = ends_.upper_bound(key);
    if (it == ends_.begin()) return nullptr;
    --it;
    return key < it->second ? &*it : nullptr;
  }

 private:
  std::map<std::string, std::string, std::less<>> ends_;  // begin -> end
};

// The base's keys that neither an interval nor an entry hides.
class BaseCursor {
 public:
  BaseCursor(std::unique_ptr<Iterator> base, const DeletedRanges& ranges,
             const absl::flat_hash_map<std::string_view, Entry*>& entries)
      : base_(std::move(base)), ranges_(ranges), entries_(entries) {}

  Iterator& base() { return *base_; }
  const Iterator& base() const { return *base_; }

  void SkipForward() {
    while (base_->Valid()) {
      if (const auto* range = ranges_.Find(base_->key())) {
        base_->Seek(range->second);
      } else if (entries_.contains(base_->key())) {
        base_->Next();
      } else {
        return;
      }
    }
  }
  void SkipBackward() {
    while (base_->Valid()) {
      if (const auto* range = ranges_.Find(base_->key())) {
        base_->SeekForPrev(range->first);
        if (base_->Valid() && base_->key() == range->first) base_->Prev();
      } else if (entries_.contains(base_->key())) {
        base_->Prev();
      } else {
        return;
      }
    }
  }

 private:
  std::unique_ptr<Iterator> base_;
  const DeletedRanges& ranges_;
  const absl::flat_hash_map<std::string_view, Entry*>& entries_;
};

// The overlay's own keys that are not deleted, within [lower, upper).
class EntryCursor {
 public:
  EntryCursor(const SortedEntries& entries, std::string_view lower, std::string_view upper)
      : begin_(entries.lower_bound(lower)),
        end_(upper.empty() ? entries.end() : entries.lower_bound(upper)),
        entries_(entries) {
    if (!upper.empty() && upper <= lower) end_ = begin_;
    at_ = end_;
  }

  bool Valid() const { return at_ != end_; }
  const Entry& entry() const { return *at_->second; }

  void SeekForward(std::string_view key) {  // first >= key
    at_ = Clamp(entries_.lower_bound(key));
    while (at_ != end_ && at_->second->deleted) ++at_;
  }
  void SeekBackward(std::string_view key, bool inclusive) {  // last <= key, or < key
    StepBackFrom(Clamp(inclusive ? entries_.upper_bound(key) : entries_.lower_bound(key)));
  }
  void SeekToFirst() {
    at_ = begin_;
    while (at_ != end_ && at_->second->deleted) ++at_;
  }
  void SeekToLast() { StepBackFrom(end_); }
  void Next() {
    do {
      ++at_;
    } while (at_ != end_ && at_->second->deleted);
  }
  void Prev() { StepBackFrom(at_); }

 private:
  using It = SortedEntries::const_iterator;

  It Clamp(It it) const {
    if (begin_ == end_) return end_;
    if (it == entries_.end() || (end_ != entries_.end() && it->first >= end_->first)) return end_;
    return it->first < begin_->first ? begin_ : it;
  }
  void StepBackFrom(It it) {
    while (it != begin_) {
      --it;
      if (!it->second->deleted) {
        at_ = it;
        return;
      }
    }
    at_ = end_;
  }

  It begin_;
  It end_;
  It at_;
  const SortedEntries& entries_;
};

// Both cursors stand on their next key in the direction of travel; the nearer one is the current
// key. They never stand on the same key: BaseCursor skips keys that have an entry.
class MergedIterator final : public Iterator {
 public:
  MergedIterator(BaseCursor base, EntryCursor own) : base_(std::move(base)), own_(own) {}

  bool Valid() const override { return base_.base().Valid() || own_.Valid(); }
  void SeekToFirst() override {
    base_.base().SeekToFirst();
    base_.SkipForward();
    own_.SeekToFirst();
    Choose(/*forward=*/true);
  }
  void SeekToLast() override {
    base_.base().SeekToLast();
    base_.SkipBackward();
    own_.SeekToLast();
    Choose(/*forward=*/false);
  }
  void Seek(std::string_view key) override {
    base_.base().Seek(key);
    base_.SkipForward();
    own_.SeekForward(key);
    Choose(/*forward=*/true);
  }
  void SeekForPrev(std::string_view key) override {
    base_.base().SeekForPrev(key);
    base_.SkipBackward();
    own_.SeekBackward(key, /*inclusive=*/true);
    Choose(/*forward=*/false);
  }
  void Next() override {
    if (!forward_) TurnAround();
    if (on_own_) {
      own_.Next();
    } else {
      base_.base().Next();
      base_.SkipForward();
    }
    Choose(/*forward=*/true);
  }
  void Prev() override {
    if (forward_) TurnAround();
    if (on_own_) {
      own_.Prev();
    } else {
      base_.base().Prev();
      base_.SkipBackward();
    }
    Choose(/*forward=*/false);
  }
  std::string_view key() const override {
    return on_own_ ? std::string_view(own_.entry().key) : base_.base().key();
  }
  std::string_view value() const override {
    return on_own_ ? std::string_view(own_.entry().value) : base_.base().value();
  }
  absl::Status status() const override { return base_.base().status(); }

 private:
  // Moves the cursor that is not current to the other side of the current key.
  void TurnAround() {
    forward_ = !forward_;
    std::string current(key());
    if (on_own_) {
      forward_ ? base_.base().Seek(current) : base_.base().SeekForPrev(current);
      forward_ ? base_.SkipForward() : base_.SkipBackward();
    } else {
      forward_ ? own_.SeekForward(current) : own_.SeekBackward(current, /*inclusive=*/false);
    }
  }
  void Choose(bool forward) {
    forward_ = forward;
    if (!own_.Valid() || !base_.base().Valid()) {
      on_own_ = own_.Valid();
      return;
    }
    bool own_is_below = own_.entry().key < base_.base().key();
    on_own_ = own_is_below == forward;
  }

  BaseCursor base_;
  EntryCursor own_;
  bool forward_ = true;
  bool on_own_ = false;
};

}  // namespace

class Overlay::Impl {
 public:
  Impl(const Reader& base, size_t cache_bytes) : base_(base), cache_(cache_bytes) {}

  void Put(std::string_view key, std::string_view value, bool in_base) {
    Entry& entry = EntryOf(key, in_base);
    entry.value = value;
    entry.deleted = false;
  }
  void Delete(std::string_view key) {
    Entry& entry = EntryOf(key, true);
    entry.value.clear();
    entry.deleted = true;
  }
  void DeleteRange(std::string_view begin, std::string_view end) {
    if (begin >= end) return;
    Sort();
    for (auto it = sorted_.lower_bound(begin); it != sorted_.end() && it->first < end; ++it) {
      Entry& entry = *by_key_.find(it->first)->second;
      entry.value.clear();
      entry.deleted = true;
    }
    ranges_.Add(begin, end);
  }
  // The ranges first: what was put into one is newer.
  void AddTo(WriteBatch& batch) const {
    ranges_.AddTo(batch);
    for (const Entry& entry : entries_) {
      if (!entry.deleted) {
        batch.Put(entry.key, entry.value);
      } else if (entry.in_base) {
        batch.Delete(entry.key);
      }
    }
  }
  void Written() {
    // Their keys are not looked for one by one.
    if (!ranges_.empty()) cache_.Clear();
    for (const Entry& entry : entries_) {
      if (!entry.in_base) continue;  // never looked for there
      entry.deleted ? cache_.Erase(entry.key) : cache_.Update(entry.key, entry.value);
    }
    Forget();
  }
  void Clear() {
    cache_.Clear();
    Forget();
  }
  void Forget() {
    if (empty()) return;
    by_key_.clear();
    sorted_.clear();
    entries_.clear();
    sorted_entries_ = 0;
    ranges_.Clear();
  }

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) {
    if (auto it = by_key_.find(key); it != by_key_.end()) {
      if (it->second->deleted) return false;
      *value = it->second->value;
      return true;
    }
    if (!ranges_.empty() && ranges_.Find(key) != nullptr) return false;
    if (const std::string* known = cache_.Find(key)) {
      *value = *known;
      return true;
    }
    absl::StatusOr<bool> found = base_.Get(key, value);
    if (found.ok() && *found) cache_.Add(key, *value);
    return found;
  }
  std::unique_ptr<Iterator> NewIterator(std::string_view lower, std::string_view upper) {
    std::unique_ptr<Iterator> base = base_.NewIterator(lower, upper);
    if (empty()) return base;
    Sort();
    return std::make_unique<MergedIterator>(BaseCursor(std::move(base), ranges_, by_key_),
                                            EntryCursor(sorted_, lower, upper));
  }

 private:
  bool empty() const { return entries_.empty() && ranges_.empty(); }

  // `in_base`: of a new one.
  Entry& EntryOf(std::string_view key, bool in_base) {
    if (auto it = by_key_.find(key); it != by_key_.end()) return *it->second;
    Entry& entry = entries_.emplace_back();
    entry.key = key;
    entry.in_base = in_base;
    by_key_.emplace(entry.key, &entry);
    return entry;
  }
  // Most batches are never iterated over, so the order is made only when someone asks.
  void Sort() {
    for (; sorted_entries_ < entries_.size(); ++sorted_entries_) {
      const Entry& entry = entries_[sorted_entries_];
      sorted_.emplace(entry.key, &entry);
    }
  }

  const Reader& base_;
  RecordCache cache_;          // of base_
  std::deque<Entry> entries_;  // a deque does not move them: the maps point into it
  absl::flat_hash_map<std::string_view, Entry*> by_key_;
  SortedEntries sorted_;  // of the first sorted_entries_
  size_t sorted_entries_ = 0;
  DeletedRanges ranges_;
};

Overlay::Overlay(const Reader& base, size_t cache_bytes)
    : impl_(std::make_unique<Impl>(base, cache_bytes)) {}
Overlay::~Overlay() = default;

void Overlay::Put(std::string_view key, std::string_view value) {
  impl_->Put(key, value, /*in_base=*/true);
}
void Overlay::Insert(std::string_view key, std::string_view value) {
  impl_->Put(key, value, /*in_base=*/false);
}
void Overlay::Delete(std::string_view key) { impl_->Delete(key); }
void Overlay::DeleteRange(std::string_view begin, std::string_view end) {
  impl_->DeleteRange(begin, end);
}
void Overlay::AddTo(WriteBatch& batch) const { impl_->AddTo(batch); }
void Overlay::Written() { impl_->Written(); }
void Overlay::Clear() { impl_->Clear(); }
absl::StatusOr<bool> Overlay::Get(std::string_view key, std::string* value) const {
  return impl_->Get(key, value);
}
std::unique_ptr<Iterator> Overlay::NewIterator(std::string_view lower,
                                               std::string_view upper) const {
  return impl_->NewIterator(lower, upper);
}

}  // namespace kdb::storage

#include "pkg/raftnode/log_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::raftnode {
namespace {

// Copies from `begin` while below `hi` and within max_bytes; at least one if there is one.
template <typename Iterator>
std::vector<raft::Entry> Take(Iterator begin, Iterator end, raft::Index hi, size_t max_bytes) {
  std::vector<raft::Entry> out;
  size_t bytes = 0;
  for (; begin != end && begin->index < hi; ++begin) {
    bytes += raft::EntryBytes(*begin);
    if (!out.empty() && bytes > max_bytes) break;
    out.push_back(*begin);
  }
  return out;
}

}  // namespace

LogCache::LogCache(const wal::Wal& log, raft::Index first, raft::Index last, size_t max_bytes,
                   Reader reader)
    : log_(log),
      max_bytes_(max_bytes),
      reader_(std::move(reader)),
      first_(first),
      last_(last),
      cached_first_(last + 1) {}

std::optional<raft::Term> LogCache::TermAt(raft::Index i) const {
  if (i + 1 < first_ || i > last_) return std::nullopt;
  if (i >= cached_first_) return cache_[i - cached_first_].term;
  return log_.TermAt(i);
}

absl::StatusOr<std::vector<raft::Entry>> LogCache::Entries(raft::Index lo, raft::Index hi,
                                                           size_t max_bytes) const {
  if (lo < first_ || lo > last_)
    return absl::OutOfRangeError(fmt::format("log is [{}, {}], wanted {}", first_, last_, lo));
  KDB_CHECK(lo < hi, "[{}, {})", lo, hi);
  if (lo >= cached_first_) return FromMemory(lo, hi, max_bytes);
  std::vector<raft::Entry> found = FromChunks(lo, hi, max_bytes);
  if (!found.empty()) return found;
  StartRead(lo, max_bytes);
  return absl::UnavailableError(fmt::format("entry {} is being read from disk", lo));
}

std::vector<raft::Entry> LogCache::FromMemory(raft::Index lo, raft::Index hi,
                                              size_t max_bytes) const {
  return Take(cache_.begin() + static_cast<std::ptrdiff_t>(lo - cached_first_), cache_.end(), hi,
              max_bytes);
}

std::vector<raft::Entry> LogCache::FromChunks(raft::Index lo, raft::Index hi,
                                              size_t max_bytes) const {
  for (const std::vector<raft::Entry>& chunk : chunks_) {
    if (lo < chunk.front().index || lo > chunk.back().index) continue;
    return Take(chunk.begin() + static_cast<std::ptrdiff_t>(lo - chunk.front().index), chunk.end(),
                hi, max_bytes);
  }
  return {};
}

void LogCache::StartRead(raft::Index lo, size_t max_bytes) const {
  bool known = std::any_of(reading_.begin(), reading_.end(), [&](const DiskRead& r) {
    return r.lo == lo && r.generation == generation_;
  });
  // Beyond the bound the core asks again when one of those under way has ended.
  if (known || reading_.size() >= kMaxChunks) return;
  // Reads ahead: who is behind wants the next entries too. All below the memory is written.
  reading_.push_back({lo, cached_first_, std::max(max_bytes, kReadAheadBytes), generation_});
  reader_(reading_.back());
}

absl::Status LogCache::OnRead(const DiskRead& request,
                              absl::StatusOr<std::vector<raft::Entry>> entries) {
  std::erase_if(reading_, [&](const DiskRead& r) {
    return r.lo == request.lo && r.generation == request.generation;
  });
  // Out of range: cut meanwhile; the core finds that out by FirstIndex.
  if (absl::IsOutOfRange(entries.status())) return absl::OkStatus();
  KDB_RETURN_IF_ERROR(entries.status());
  if (request.generation != generation_ || entries->empty()) return absl::OkStatus();
  if (chunks_.size() >= kMaxChunks) chunks_.pop_front();
  chunks_.push_back(*std::move(entries));
  return absl::OkStatus();
}

void LogCache::Append(uint64_t seq, const std::vector<raft::Entry>& entries) {
  if (entries.empty()) return;
  raft::Index first = entries.front().index;
  KDB_CHECK(first >= first_ && first <= last_ + 1, "append at {} to [{}, {}]", first, first_,
            last_);
  if (first <= last_) Supersede(first);
  unwritten_.push_back({seq, first});
  for (const raft::Entry& e : entries) {
    KDB_CHECK(e.index == last_ + 1, "gap: {} after {}", e.index, last_);
    cache_.push_back(e);
    bytes_ += raft::EntryBytes(e);
    last_ = e.index;
  }
  Evict();
}

void LogCache::Supersede(raft::Index from) {
  while (!cache_.empty() && cache_.back().index >= from) {
    bytes_ -= raft::EntryBytes(cache_.back());
    cache_.pop_back();
  }
  cached_first_ = std::min(cached_first_, from);
  last_ = from - 1;
  // Reads of the disk log that are under way may see entries that are being replaced.
  ++generation_;
  std::erase_if(chunks_, [from](const auto& chunk) { return chunk.back().index >= from; });
}

void LogCache::Persisted(uint64_t seq) {
  while (!unwritten_.empty() && unwritten_.front().seq <= seq) unwritten_.pop_front();
  Evict();
}

void LogCache::Evict() {
  raft::Index keep_from = last_ + 1;
  for (const Unwritten& u : unwritten_) keep_from = std::min(keep_from, u.first);
  while (bytes_ > max_bytes_ && !cache_.empty() && cached_first_ < keep_from) {
    bytes_ -= raft::EntryBytes(cache_.front());
    cache_.pop_front();
    ++cached_first_;
  }
}

void LogCache::CutPrefix(raft::Index index) {
  KDB_CHECK(index <= last_, "cut at {} beyond {}", index, last_);
  first_ = std::max(first_, index + 1);
  while (!cache_.empty() && cached_first_ < first_) {
    bytes_ -= raft::EntryBytes(cache_.front());
    cache_.pop_front();
    ++cached_first_;
  }
  if (cached_first_ < first_) cached_first_ = first_;
  std::erase_if(chunks_, [index](const auto& chunk) { return chunk.back().index <= index; });
}

}  // namespace kdb::raftnode

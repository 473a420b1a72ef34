#include "pkg/wal/segmented_wal.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::wal {
namespace {

// Buffers beyond this are given back after use.
constexpr size_t kKeptBufferBytes = 4 << 20;

// At most what Encode writes, with room for the mark that may follow.
uint64_t SpaceFor(std::span<const raft::Entry> entries, bool hard_state) {
  uint64_t bytes = RecordBytes(0);
  if (hard_state) bytes += kBlock + 2 * RecordBytes(kHardStateBody);
  for (const raft::Entry& entry : entries) bytes += RecordBytes(entry.data.size());
  return bytes;
}

absl::Status CheckOptions(const Options& options) {
  constexpr uint64_t kMinSegmentBytes = 4 * kBlock;
  if (options.segment_bytes >= kMinSegmentBytes && options.segment_bytes <= kMaxSegmentBytes &&
      options.spare_segments >= 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(fmt::format(
      "segment_bytes {} is not in [{}, {}], or spare_segments {} is negative",
      options.segment_bytes, kMinSegmentBytes, kMaxSegmentBytes, options.spare_segments));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Wal>> Wal::Open(FileSystem& fs, const std::string& dir,
                                               const Options& options, Recovered* recovered) {
  KDB_RETURN_IF_ERROR(CheckOptions(options));
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<SegmentStore> store, SegmentStore::Open(fs, dir, options));
  KDB_ASSIGN_OR_RETURN(RecoveredLog log, RecoverLog(*store, options.must_exist));
  const raft::Index base = log.index.base_index();
  *recovered = Recovered{.hard_state = log.hard_state,
                         .first_index = base + 1,
                         .last_index = log.index.last_index(),
                         .compacted_term = *log.index.TermAt(base),
                         .dropped_tail_bytes = log.dropped_tail_bytes};
  const SegmentHeader next = log.next;
  const std::vector<uint64_t> garbage = std::move(log.garbage);
  auto wal = std::make_unique<SegmentedWal>(options, std::move(store), std::move(log));
  KDB_RETURN_IF_ERROR(wal->Start(next, garbage));
  return wal;
}

SegmentedWal::SegmentedWal(const Options& options, std::unique_ptr<SegmentStore> store,
                           RecoveredLog recovered)
    : options_(options), store_(std::move(store)), hard_state_(recovered.hard_state) {
  MutexLock lock(mu_);
  index_ = std::move(recovered.index);
  segments_ = std::move(recovered.segments);
}

absl::Status SegmentedWal::Start(const SegmentHeader& header,
                                 const std::vector<uint64_t>& garbage) {
  std::shared_ptr<Segment> before;
  {
    MutexLock lock(mu_);
    if (!segments_.empty()) before = segments_.back();
  }
  KDB_ASSIGN_OR_RETURN(SegmentStore::Blank blank,
                       store_->Take(options_.segment_bytes, /*fill=*/true));
  KDB_RETURN_IF_ERROR(StartSegment(std::move(blank), header));
  for (uint64_t id : garbage) KDB_RETURN_IF_ERROR(store_->Recycle(id));
  // Else every restart would keep a mostly empty segment until the log is cut.
  if (before == nullptr || header.prev_end > before->header.file_bytes / 2) return absl::OkStatus();
  return before->file->Truncate(header.prev_end);
}

absl::Status SegmentedWal::Broken(const absl::Status& status) {
  broken_ = absl::Status(
      absl::IsResourceExhausted(status) ? absl::StatusCode::kInternal : status.code(),
      fmt::format("{}; the raft log cannot be written any more", std::string(status.message())));
  return broken_;
}

SegmentHeader SegmentedWal::NextHeader() const {
  MutexLock lock(mu_);
  SegmentHeader header;
  header.prev_id = current_->header.id;
  header.prev_end = end_;
  header.prev_index = index_.last_index();
  header.prev_term = *index_.TermAt(index_.last_index());
  header.hard_state = hard_state_;
  return header;
}

absl::Status SegmentedWal::StartSegment(SegmentStore::Blank blank, const SegmentHeader& header) {
  KDB_ASSIGN_OR_RETURN(current_, store_->Publish(std::move(blank), header));
  end_ = durable_ = marked_ = kFirstRecord;
  MutexLock lock(mu_);
  segments_.push_back(current_);
  return absl::OkStatus();
}

absl::Status SegmentedWal::MakeRoom(uint64_t bytes) {
  if (end_ + bytes <= current_->header.file_bytes) return absl::OkStatus();
  uint64_t file_bytes = std::max(options_.segment_bytes, RoundUp(kFirstRecord + bytes, kBlock));
  if (file_bytes > kMaxSegmentBytes) {
    return absl::InvalidArgumentError(fmt::format("an append of {} bytes is too large", bytes));
  }
  KDB_ASSIGN_OR_RETURN(SegmentStore::Blank blank, store_->Take(file_bytes, /*fill=*/false));
  // The new segment's header will say that this one is durable to its end.
  absl::Status status = SyncCurrent();
  if (status.ok()) status = StartSegment(std::move(blank), NextHeader());
  return status.ok() ? status : Broken(status);
}

void SegmentedWal::Encode(std::span<const raft::Entry> entries,
                          const std::optional<raft::HardState>& hard_state) {
  buffer_.clear();
  offsets_.clear();
  const RecordCodec& codec = current_->codec;
  auto durable = static_cast<uint32_t>(durable_);
  if (hard_state) {
    // A lost commit index is learned again; a lost term or vote breaks Raft.
    bool twice = hard_state->term != hard_state_.term || hard_state->vote != hard_state_.vote;
    codec.AppendHardState(buffer_, end_, durable, *hard_state, twice);
  }
  for (const raft::Entry& entry : entries) {
    offsets_.push_back(static_cast<uint32_t>(buffer_.size()));
    RecordHeader header;
    header.type = RecordType::kEntry;
    header.entry_type = entry.type;
    header.durable = durable;
    header.index = entry.index;
    header.term = entry.term;
    codec.Append(buffer_, end_ + buffer_.size(), header, entry.data.view());
  }
}

absl::Status SegmentedWal::WriteBuffer() {
  absl::Status status = current_->file->WriteAt(end_, buffer_);
  if (!status.ok()) return Broken(status);
  end_ += buffer_.size();
  return status;
}

void SegmentedWal::Publish(std::span<const raft::Entry> entries, uint64_t offset) {
  auto segment = static_cast<uint32_t>(current_->header.id);
  MutexLock lock(mu_);
  stats_.bytes_written += buffer_.size();
  for (size_t i = 0; i < entries.size(); ++i) {
    index_.Put(entries[i].index, {.term = entries[i].term,
                                  .segment = segment,
                                  .offset = static_cast<uint32_t>(offset + offsets_[i]),
                                  .body_bytes = static_cast<uint32_t>(entries[i].data.size())});
  }
}

absl::Status SegmentedWal::Append(std::span<const raft::Entry> entries,
                                  const std::optional<raft::HardState>& hard_state) {
  KDB_RETURN_IF_ERROR(broken_);
  if (entries.empty() && !hard_state) return absl::OkStatus();
  raft::Index next = entries.empty() ? 0 : entries.front().index;
  KDB_CHECK(entries.empty() || (next >= first_index() && next <= last_index() + 1),
            "append at {} to the log [{}, {}]", next, first_index(), last_index());
  for (const raft::Entry& entry : entries) {
    KDB_CHECK(entry.index == next, "entry {} where {} was due", entry.index, next);
    ++next;
  }
  KDB_RETURN_IF_ERROR(MakeRoom(SpaceFor(entries, hard_state.has_value())));
  uint64_t offset = end_;
  Encode(entries, hard_state);
  KDB_RETURN_IF_ERROR(WriteBuffer());
  Publish(entries, offset);
  unsynced_entries_ += entries.size();
  if (hard_state) hard_state_ = *hard_state;
  if (buffer_.capacity() > kKeptBufferBytes) buffer_ = std::string();
  return absl::OkStatus();
}

absl::Status SegmentedWal::SyncCurrent() {
  if (durable_ == end_) return absl::OkStatus();
  KDB_RETURN_IF_ERROR(current_->file->DataSync());
  durable_ = end_;
  MutexLock lock(mu_);
  ++stats_.syncs;
  stats_.synced_entries += std::exchange(unsynced_entries_, 0);
  return absl::OkStatus();
}

absl::Status SegmentedWal::Sync() {
  KDB_RETURN_IF_ERROR(broken_);
  absl::Status status = SyncCurrent();
  return status.ok() ? status : Broken(status);
}

absl::Status SegmentedWal::Mark() {
  KDB_RETURN_IF_ERROR(Sync());
  if (marked_ == durable_) return absl::OkStatus();
  buffer_.clear();
  RecordHeader header;
  header.type = RecordType::kMark;
  header.durable = static_cast<uint32_t>(durable_);
  current_->codec.Append(buffer_, end_, header, "");  // SpaceFor left room
  KDB_RETURN_IF_ERROR(WriteBuffer());
  KDB_RETURN_IF_ERROR(Sync());
  marked_ = end_;
  return absl::OkStatus();
}

const std::shared_ptr<Segment>& SegmentedWal::SegmentOfLocked(uint32_t id) const {
  auto it = std::partition_point(segments_.begin(), segments_.end(),
                                 [id](const auto& segment) { return segment->header.id < id; });
  KDB_CHECK(it != segments_.end() && (*it)->header.id == id, "no segment {}", id);
  return *it;
}

absl::StatusOr<std::vector<LocatedEntry>> SegmentedWal::Locate(raft::Index lo, raft::Index hi,
                                                               size_t max_bytes) const {
  MutexLock lock(mu_);
  if (lo <= index_.base_index() || hi > index_.last_index() + 1 || lo >= hi) {
    return absl::OutOfRangeError(fmt::format("entries [{}, {}) of the log [{}, {}]", lo, hi,
                                             index_.base_index() + 1, index_.last_index()));
  }
  std::vector<LocatedEntry> located;
  size_t bytes = 0;
  for (raft::Index i = lo; i < hi; ++i) {
    const EntryPosition& position = index_.At(i);
    bytes += position.body_bytes + raft::EntryBytes(raft::Entry());
    if (i > lo && bytes > max_bytes) break;
    bool same = !located.empty() && located.back().position.segment == position.segment;
    located.push_back(
        {position, same ? located.back().segment : SegmentOfLocked(position.segment)});
  }
  return located;
}

absl::StatusOr<std::vector<raft::Entry>> SegmentedWal::Read(raft::Index lo, raft::Index hi,
                                                            size_t max_bytes) const {
  KDB_ASSIGN_OR_RETURN(std::vector<LocatedEntry> located, Locate(lo, hi, max_bytes));
  absl::StatusOr<std::vector<raft::Entry>> entries = ReadEntries(lo, located);
  if (!absl::IsDataLoss(entries.status())) return entries;
  // A segment that was cut off meanwhile may have been reused under our hands: that is not damage.
  KDB_RETURN_IF_ERROR(Locate(lo, hi, max_bytes).status());
  return entries;
}

std::optional<raft::Term> SegmentedWal::TermAt(raft::Index index) const {
  MutexLock lock(mu_);
  return index_.TermAt(index);
}

raft::Index SegmentedWal::first_index() const {
  MutexLock lock(mu_);
  return index_.base_index() + 1;
}

raft::Index SegmentedWal::last_index() const {
  MutexLock lock(mu_);
  return index_.last_index();
}

// The oldest segment if nothing above `index` was ever written before its successor, which says so
// in its header: so that recovery finds the same first entry there.
std::shared_ptr<Segment> SegmentedWal::PopCutLocked(raft::Index index) {
  if (segments_.size() < 2 || segments_[1]->header.prev_index > index) return nullptr;
  std::shared_ptr<Segment> oldest = std::move(segments_.front());
  segments_.pop_front();
  index_.CutPrefix(segments_.front()->header.prev_index);
  return oldest;
}

absl::Status SegmentedWal::CutPrefix(raft::Index index) {
  KDB_RETURN_IF_ERROR(broken_);
  for (;;) {
    std::shared_ptr<Segment> cut;
    {
      MutexLock lock(mu_);
      KDB_CHECK(index <= index_.last_index(), "cut at {} behind the last entry {}", index,
                index_.last_index());
      cut = PopCutLocked(index);
    }
    if (cut == nullptr) return absl::OkStatus();
    absl::Status status = store_->Recycle(cut->header.id);
    if (!status.ok()) return Broken(status);
  }
}

absl::Status SegmentedWal::Reset(raft::Index index, raft::Term term,
                                 const raft::HardState& hard_state) {
  KDB_RETURN_IF_ERROR(broken_);
  KDB_ASSIGN_OR_RETURN(SegmentStore::Blank blank,
                       store_->Take(options_.segment_bytes, /*fill=*/false));
  SegmentHeader header;  // without a predecessor: none of the older segments counts any more
  header.prev_index = index;
  header.prev_term = term;
  header.hard_state = hard_state;
  absl::Status status = StartSegment(std::move(blank), header);
  if (!status.ok()) return Broken(status);
  hard_state_ = hard_state;
  unsynced_entries_ = 0;
  std::deque<std::shared_ptr<Segment>> old;
  {
    MutexLock lock(mu_);
    index_.Reset(index, term);
    old.swap(segments_);
    segments_.push_back(std::move(old.back()));
    old.pop_back();
  }
  for (const auto& segment : old) {
    status = store_->Recycle(segment->header.id);
    if (!status.ok()) return Broken(status);
  }
  return absl::OkStatus();
}

Stats SegmentedWal::stats() const {
  MutexLock lock(mu_);
  Stats stats = stats_;
  stats.segments = segments_.size();
  for (const auto& segment : segments_) stats.live_bytes += segment->header.file_bytes;
  return stats;
}

}  // namespace kdb::wal

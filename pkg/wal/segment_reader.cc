#include "pkg/wal/segment_reader.h"

#include <algorithm>

#include "fmt/format.h"
#include "pkg/base/damage.h"
#include "pkg/base/status.h"

namespace kdb::wal {

absl::Status SegmentReader::Load(uint64_t end) {
  KDB_ASSIGN_OR_RETURN(uint64_t size, segment_.file->Size());
  if (size < end) {
    return DamageError(
        fmt::format("{}, offset {}: the file was cut; it had at least {} bytes, all durable",
                    segment_.path, size, end));
  }
  bytes_.resize(end);
  KDB_ASSIGN_OR_RETURN(size_t n, segment_.file->ReadAt(0, end, bytes_.data()));
  bytes_.resize(n);
  return absl::OkStatus();
}

std::optional<FoundRecord> SegmentReader::RecordAt(uint64_t offset) const {
  FoundRecord record{.offset = offset, .header = {}, .body = {}};
  if (!segment_.codec.ParseHeader(From(offset), offset, bytes_.size(), &record.header)) {
    return std::nullopt;
  }
  record.body = From(offset).substr(kRecordHeader, record.header.body_bytes);
  if (!RecordCodec::BodyMatches(record.header, record.body)) return std::nullopt;
  return record;
}

std::optional<uint64_t> SegmentReader::BehindDamagedCopy(uint64_t offset) const {
  uint64_t behind = offset + RecordBytes(kHardStateBody);
  if (offset == last_hard_state_copy_) return std::min<uint64_t>(behind, bytes_.size());
  uint64_t second = SecondCopy(offset);
  if (second >= bytes_.size()) return std::nullopt;
  std::optional<FoundRecord> copy = RecordAt(second);
  bool of_this =
      copy && copy->header.type == RecordType::kHardState && copy->header.index == offset;
  return of_this ? std::optional(second) : std::nullopt;
}

absl::StatusOr<uint64_t> SegmentReader::Walk(const Sink& sink) {
  uint64_t offset = kFirstRecord;
  while (offset < bytes_.size()) {
    std::optional<FoundRecord> record = RecordAt(offset);
    if (!record) {
      std::optional<uint64_t> behind = BehindDamagedCopy(offset);
      if (!behind) break;
      offset = *behind;
      continue;
    }
    if (record->header.type == RecordType::kHardState) last_hard_state_copy_ = record->header.index;
    KDB_RETURN_IF_ERROR(sink(*record));
    offset += RecordBytes(record->header.body_bytes);
  }
  return offset;
}

SegmentReader::Beyond SegmentReader::LookBeyond(uint64_t damage) const {
  Beyond beyond;
  beyond.end = damage;
  // Lengths cannot be trusted here: look at every place where a record may stand.
  for (uint64_t offset = damage; offset + kRecordHeader <= bytes_.size(); offset += 8) {
    RecordHeader header;
    if (!segment_.codec.ParseHeader(From(offset), offset, bytes_.size(), &header)) continue;
    beyond.end = std::max(beyond.end, offset + RecordBytes(header.body_bytes));
    if (header.durable > beyond.durable) {
      beyond.durable = header.durable;
      beyond.witness = offset;
    }
    std::optional<FoundRecord> record = RecordAt(offset);
    if (record && header.type == RecordType::kHardState) {
      beyond.hard_states.push_back(RecordCodec::DecodeHardState(header, record->body));
    }
  }
  return beyond;
}

}  // namespace kdb::wal

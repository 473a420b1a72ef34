#include "pkg/wal/entry_reader.h"

#include <utility>

#include "fmt/format.h"
#include "pkg/base/damage.h"
#include "pkg/base/status.h"

namespace kdb::wal {
namespace {

// Other records between two entries up to this size are read along.
constexpr uint64_t kMaxGap = 2 * kBlock;

uint64_t EndOf(const EntryPosition& position) {
  return position.offset + RecordBytes(position.body_bytes);
}

bool Adjacent(const LocatedEntry& a, const LocatedEntry& b) {
  return a.segment == b.segment && b.position.offset >= EndOf(a.position) &&
         b.position.offset - EndOf(a.position) <= kMaxGap;
}

absl::StatusOr<raft::Entry> Decode(const LocatedEntry& located, raft::Index index,
                                   const std::shared_ptr<const std::string>& buffer,
                                   uint64_t buffer_offset) {
  const EntryPosition& at = located.position;
  std::string_view bytes = *buffer;
  bytes = bytes.substr(std::min<uint64_t>(at.offset - buffer_offset, bytes.size()));
  bytes = bytes.substr(0, RecordBytes(at.body_bytes));
  RecordHeader header;
  bool ok = located.segment->codec.ParseHeader(bytes, at.offset, at.offset + bytes.size(), &header);
  std::string_view body = ok ? bytes.substr(kRecordHeader, header.body_bytes) : "";
  if (!ok || header.type != RecordType::kEntry || header.index != index || header.term != at.term ||
      !RecordCodec::BodyMatches(header, body)) {
    return DamageError(
        fmt::format("{}, offset {}: entry {} is damaged", located.segment->path, at.offset, index));
  }
  return raft::Entry{.index = index,
                     .term = header.term,
                     .type = header.entry_type,
                     .data = body.empty() ? Payload() : Payload(buffer, body)};
}

}  // namespace

absl::StatusOr<std::vector<raft::Entry>> ReadEntries(raft::Index first,
                                                     const std::vector<LocatedEntry>& located) {
  std::vector<raft::Entry> entries;
  entries.reserve(located.size());
  for (size_t begin = 0, end = 0; begin < located.size(); begin = end) {
    for (end = begin + 1; end < located.size() && Adjacent(located[end - 1], located[end]);) ++end;
    uint64_t offset = located[begin].position.offset;
    auto buffer = std::make_shared<std::string>(EndOf(located[end - 1].position) - offset, '\0');
    KDB_ASSIGN_OR_RETURN(
        size_t n, located[begin].segment->file->ReadAt(offset, buffer->size(), buffer->data()));
    buffer->resize(n);
    for (size_t i = begin; i < end; ++i) {
      KDB_ASSIGN_OR_RETURN(raft::Entry entry, Decode(located[i], first + i, buffer, offset));
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

}  // namespace kdb::wal

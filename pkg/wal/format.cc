#include "pkg/wal/format.h"

#include "absl/status/status.h"
#include "fmt/format.h"
#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/base/damage.h"

namespace kdb::wal {
namespace {

constexpr std::string_view kMagic("KDBWAL\r\n", 8);
constexpr size_t kHeaderBytes = 96;
constexpr size_t kHeaderCrcAt = 12;

uint32_t SegmentHeaderCrc(std::string_view bytes) {
  return ExtendCrc32c(Crc32c(bytes.substr(0, kHeaderCrcAt)),
                      bytes.substr(kHeaderCrcAt + 4, kHeaderBytes - kHeaderCrcAt - 4));
}

bool IntactHeader(std::string_view bytes) {
  return bytes.size() >= kHeaderBytes && bytes.starts_with(kMagic) &&
         LoadLittle<uint32_t>(bytes.data() + kHeaderCrcAt) == SegmentHeaderCrc(bytes);
}

bool KnownType(uint8_t type) {
  return type >= static_cast<uint8_t>(RecordType::kEntry) &&
         type <= static_cast<uint8_t>(RecordType::kMark);
}

bool KnownEntryType(uint8_t type) {
  return type <= static_cast<uint8_t>(raft::EntryType::kConfChange);
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& h) {
  std::string out(kMagic);
  AppendLittle<uint32_t>(out, kFormatVersion);
  AppendLittle<uint32_t>(out, 0);  // checksum
  for (uint64_t field : {h.id, h.incarnation, h.file_bytes, h.prev_id, h.prev_end, h.prev_index,
                         h.prev_term, h.hard_state.term, h.hard_state.vote, h.hard_state.commit}) {
    AppendLittle(out, field);
  }
  StoreLittle(out.data() + kHeaderCrcAt, SegmentHeaderCrc(out));
  std::string copy = out;
  out.resize(kBlock);
  out += copy;
  out.resize(kFirstRecord);
  return out;
}

absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  for (size_t at : {size_t{0}, size_t{kBlock}}) {
    if (bytes.size() < at || !IntactHeader(bytes.substr(at))) continue;
    ByteReader in(bytes.substr(at + kMagic.size()));
    uint32_t version = in.Little<uint32_t>();
    if (version > kFormatVersion) {
      return absl::UnimplementedError(fmt::format(
          "format version {} is newer than this program's {}", version, kFormatVersion));
    }
    in.Little<uint32_t>();
    SegmentHeader h;
    for (uint64_t* field :
         {&h.id, &h.incarnation, &h.file_bytes, &h.prev_id, &h.prev_end, &h.prev_index,
          &h.prev_term, &h.hard_state.term, &h.hard_state.vote, &h.hard_state.commit}) {
      *field = in.Little<uint64_t>();
    }
    return h;
  }
  return DamageError("both copies of the segment header are damaged");
}

RecordCodec::RecordCodec(const SegmentHeader& segment)
    : tag_(static_cast<uint32_t>(segment.incarnation)) {
  std::string use;
  AppendLittle(use, segment.id);
  AppendLittle(use, segment.incarnation);
  seed_ = Crc32c(use);
}

// `header` without its first four bytes, the checksum itself.
uint32_t RecordCodec::HeaderCrc(uint64_t offset, std::string_view header) const {
  char place[sizeof(offset)];
  StoreLittle(place, offset);
  return ExtendCrc32c(ExtendCrc32c(seed_, std::string_view(place, sizeof(place))), header);
}

void RecordCodec::Append(std::string& out, uint64_t offset, RecordHeader header,
                         std::string_view body) const {
  char bytes[kRecordHeader];
  StoreLittle(bytes + 4, Crc32c(body));
  StoreLittle(bytes + 8, static_cast<uint32_t>(body.size()));
  StoreLittle(bytes + 12, header.durable);
  StoreLittle(bytes + 16, static_cast<uint8_t>(header.type));
  StoreLittle(bytes + 17, static_cast<uint8_t>(header.entry_type));
  StoreLittle(bytes + 18, uint16_t{0});
  StoreLittle(bytes + 20, tag_);
  StoreLittle(bytes + 24, header.index);
  StoreLittle(bytes + 32, header.term);
  StoreLittle(bytes, HeaderCrc(offset, std::string_view(bytes + 4, kRecordHeader - 4)));
  out.append(bytes, kRecordHeader);
  out.append(body);
  out.append(RecordBytes(body.size()) - kRecordHeader - body.size(), '\0');
}

void RecordCodec::AppendHardState(std::string& out, uint64_t offset, uint32_t durable,
                                  const raft::HardState& hard_state, bool twice) const {
  std::string body;
  AppendLittle<uint64_t>(body, hard_state.vote);
  AppendLittle<uint64_t>(body, hard_state.commit);
  RecordHeader header;
  header.type = RecordType::kHardState;
  header.durable = durable;
  header.term = hard_state.term;
  if (!twice) return Append(out, offset, header, body);
  uint64_t second = SecondCopy(offset);
  std::string filled = body;
  filled.resize(second - offset - kRecordHeader);  // the first copy reaches to the second
  header.index = second;
  Append(out, offset, header, filled);
  header.index = offset;
  Append(out, second, header, body);
}

bool RecordCodec::ParseHeader(std::string_view bytes, uint64_t offset, uint64_t limit,
                              RecordHeader* header) const {
  if (bytes.size() < kRecordHeader || LoadLittle<uint32_t>(bytes.data() + 20) != tag_) return false;
  const char* p = bytes.data();
  if (LoadLittle<uint32_t>(p) != HeaderCrc(offset, bytes.substr(4, kRecordHeader - 4))) {
    return false;
  }
  uint8_t type = LoadLittle<uint8_t>(p + 16);
  uint8_t entry_type = LoadLittle<uint8_t>(p + 17);
  if (!KnownType(type) || !KnownEntryType(entry_type)) return false;
  header->body_crc = LoadLittle<uint32_t>(p + 4);
  header->body_bytes = LoadLittle<uint32_t>(p + 8);
  header->durable = LoadLittle<uint32_t>(p + 12);
  header->type = static_cast<RecordType>(type);
  header->entry_type = static_cast<raft::EntryType>(entry_type);
  header->index = LoadLittle<uint64_t>(p + 24);
  header->term = LoadLittle<uint64_t>(p + 32);
  if (header->type == RecordType::kHardState && header->body_bytes < kHardStateBody) return false;
  return header->durable <= offset && offset + RecordBytes(header->body_bytes) <= limit;
}

bool RecordCodec::BodyMatches(const RecordHeader& header, std::string_view body) {
  return body.size() == header.body_bytes && Crc32c(body) == header.body_crc;
}

raft::HardState RecordCodec::DecodeHardState(const RecordHeader& header, std::string_view body) {
  ByteReader in(body);
  raft::HardState hard_state;
  hard_state.term = header.term;
  hard_state.vote = in.Little<uint64_t>();
  hard_state.commit = in.Little<uint64_t>();
  return hard_state;
}

}  // namespace kdb::wal

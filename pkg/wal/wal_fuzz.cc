// Opens and reads a log whose segments are arbitrary bytes. The input: for each segment a byte of
// flags and a two-byte length, then its bytes. Flag 1 puts valid headers in front, so that the
// records are reached; flag 2 repairs the checksums of the record headers, so that their fields
// are.
#include <cstddef>
#include <cstdint>
#include <string>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/env/disk_image.h"
#include "pkg/wal/format.h"
#include "pkg/wal/wal.h"

namespace kdb::wal {
namespace {

constexpr uint64_t kSegmentBytes = 16 << 10;
constexpr uint64_t kIncarnation = 0x1234567;

SegmentHeader HeaderOf(uint64_t id, uint64_t prev_end) {
  SegmentHeader header;
  header.id = id;
  header.incarnation = kIncarnation;
  header.file_bytes = kSegmentBytes;
  header.prev_id = id - 1;
  header.prev_end = prev_end;
  return header;
}

void RepairChecksums(std::string& segment, uint64_t id) {
  for (size_t at = kFirstRecord; at + kRecordHeader <= segment.size();) {
    char* p = segment.data() + at;
    StoreLittle(p + 20, static_cast<uint32_t>(kIncarnation));
    uint64_t body = LoadLittle<uint32_t>(p + 8) % 64;
    StoreLittle(p + 8, static_cast<uint32_t>(body));
    std::string_view bytes(segment);
    StoreLittle(p + 4, Crc32c(bytes.substr(std::min(at + kRecordHeader, bytes.size()), body)));
    std::string seed;
    AppendLittle(seed, id);
    AppendLittle(seed, kIncarnation);
    AppendLittle<uint64_t>(seed, at);
    StoreLittle(p, ExtendCrc32c(Crc32c(seed), bytes.substr(at + 4, kRecordHeader - 4)));
    at += RecordBytes(body);
  }
}

void WriteSegments(DiskImage& disk, ByteReader in) {
  for (uint64_t id = 1; id <= 4 && !in.rest().empty(); ++id) {
    uint8_t flags = in.Little<uint8_t>();
    uint16_t length = in.Little<uint16_t>();
    std::string bytes(in.Bytes(std::min<size_t>(length, in.rest().size())));
    if (flags & 1) {
      bytes.insert(0, EncodeSegmentHeader(HeaderOf(id, kFirstRecord + uint64_t{flags} * 8)));
      bytes.resize(kSegmentBytes);
    }
    if (flags & 2) RepairChecksums(bytes, id);
    auto file =
        disk.Open("/" + std::string(15, '0') + std::to_string(id) + ".wal", OpenMode::kCreateNew);
    KDB_CHECK(file.ok() && (*file)->WriteAt(0, bytes).ok());
  }
}

void OpenWhatIsThere(std::string_view input) {
  DiskImage disk;
  WriteSegments(disk, ByteReader(input));
  Options options{.segment_bytes = kSegmentBytes, .spare_segments = 1, .seed = 1};
  Recovered recovered;
  auto log = Wal::Open(disk, "/", options, &recovered);
  if (!log.ok()) return;
  if (recovered.first_index <= recovered.last_index) {
    auto entries = (*log)->Read(recovered.first_index, recovered.last_index + 1, SIZE_MAX);
    KDB_CHECK(entries.ok(), "{}", entries.status().ToString());
  }
  // What was accepted is accepted again.
  Recovered again;
  log->reset();
  auto second = Wal::Open(disk, "/", options, &again);
  KDB_CHECK(second.ok(), "{}", second.status().ToString());
  KDB_CHECK(again.last_index == recovered.last_index && again.hard_state == recovered.hard_state);
}

}  // namespace
}  // namespace kdb::wal

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kdb::wal::OpenWhatIsThere({reinterpret_cast<const char*>(data), size});
  return 0;
}

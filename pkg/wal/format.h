// The bytes of the raft log: segment headers and records. FORMAT.md explains them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/raft/types.h"

namespace kdb::wal {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kBlock = 4096;              // assumed to be damaged as a whole, at worst
inline constexpr uint64_t kFirstRecord = 2 * kBlock;  // behind the two copies of the segment header
inline constexpr uint64_t kRecordHeader = 40;
inline constexpr uint64_t kHardStateBody = 16;
inline constexpr uint64_t kMaxSegmentBytes = uint64_t{1} << 31;  // offsets fit 32 bits

constexpr uint64_t RoundUp(uint64_t v, uint64_t unit) { return (v + unit - 1) / unit * unit; }
// Bytes from the start of a record to the next.
constexpr uint64_t RecordBytes(uint64_t body) { return RoundUp(kRecordHeader + body, 8); }

struct SegmentHeader {
  uint64_t id = 0;
  uint64_t incarnation = 0;    // random for each use of a file: recycled bytes never look valid
  uint64_t file_bytes = 0;     // durable size of the file before its first record is written
  uint64_t prev_id = 0;        // the segment before; 0: the log starts here
  uint64_t prev_end = 0;       // where its records end: all of them are durable
  raft::Index prev_index = 0;  // last entry before this segment
  raft::Term prev_term = 0;
  raft::HardState hard_state = {};

  friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

// kFirstRecord bytes: the header, twice.
std::string EncodeSegmentHeader(const SegmentHeader& header);
// From the first kFirstRecord bytes of a segment (or fewer); takes any valid copy. DATA_LOSS: none
// is valid. UNIMPLEMENTED: written by a newer version.
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

enum class RecordType : uint8_t { kEntry = 1, kHardState = 2, kMark = 3 };

struct RecordHeader {
  RecordType type = RecordType::kMark;
  raft::EntryType entry_type = raft::EntryType::kNormal;
  uint32_t durable =
      0;  // all records of this segment below this offset were durable when it was written
  uint32_t body_bytes = 0;
  uint32_t body_crc = 0;
  uint64_t index = 0;  // of the entry; kHardState: offset of the other copy, 0 if it has none
  uint64_t term = 0;
};

// Encodes and checks the records of one segment.
class RecordCodec {
 public:
  explicit RecordCodec(const SegmentHeader& segment);

  // Appends the record that will stand at `offset` of the segment. body_bytes and body_crc are
  // filled in.
  void Append(std::string& out, uint64_t offset, RecordHeader header, std::string_view body) const;
  // Appends a hard state at `offset`; `twice`: a copy in each of two different blocks.
  void AppendHardState(std::string& out, uint64_t offset, uint32_t durable,
                       const raft::HardState& hard_state, bool twice) const;

  // `bytes` starts at `offset` of the segment, whose records end at or before `limit`.
  bool ParseHeader(std::string_view bytes, uint64_t offset, uint64_t limit,
                   RecordHeader* header) const;
  static bool BodyMatches(const RecordHeader& header, std::string_view body);
  // Of a kHardState record.
  static raft::HardState DecodeHardState(const RecordHeader& header, std::string_view body);

 private:
  uint32_t HeaderCrc(uint64_t offset, std::string_view header) const;

  uint32_t seed_;  // checksum of segment id and incarnation
  uint32_t tag_;   // the incarnation's low half, in every record
};

// Where the second copy of a hard state stands whose first is at `offset`.
constexpr uint64_t SecondCopy(uint64_t offset) {
  return RoundUp(offset + kRecordHeader + kHardStateBody, kBlock);
}

}  // namespace kdb::wal

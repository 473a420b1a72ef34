#include "pkg/storage/system_record.h"

#include <fmt/format.h>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/base/status.h"

namespace kdb::storage {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kChecksumBytes = sizeof(uint32_t);

absl::StatusOr<SystemRecord> Decode(const absl::StatusOr<bool>& found, std::string_view bytes) {
  if (!found.ok()) return found.status();
  return *found ? DecodeSystemRecord(bytes) : SystemRecord{};
}

}  // namespace

std::string_view SystemRecordKey() { return std::string_view("\xFF\xFF\x00", 3); }

std::string EncodeSystemRecord(const SystemRecord& record) {
  std::string out;
  out.reserve(48 + record.membership.size());
  AppendLittle(out, kVersion);
  AppendVarint(out, record.applied_index);
  AppendVarint(out, record.applied_term);
  AppendLittle(out, record.log_time_ms);
  AppendVarint(out, record.rev);
  AppendVarint(out, record.apply_level);
  AppendLengthPrefixed(out, record.membership);
  AppendLittle(out, Crc32c(out));
  return out;
}

absl::StatusOr<SystemRecord> DecodeSystemRecord(std::string_view bytes) {
  if (bytes.size() < 1 + kChecksumBytes) return absl::DataLossError("system record: too short");
  if (static_cast<uint8_t>(bytes[0]) != kVersion) {
    return absl::DataLossError(
        fmt::format("system record: version {} is not {}: written by a newer release, or damaged",
                    static_cast<uint8_t>(bytes[0]), kVersion));
  }
  std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (LoadLittle<uint32_t>(bytes.data() + body.size()) != Crc32c(body)) {
    return absl::DataLossError("system record: checksum mismatch");
  }
  ByteReader in(body.substr(1));
  SystemRecord record;
  record.applied_index = in.Varint();
  record.applied_term = in.Varint();
  record.log_time_ms = in.Little<int64_t>();
  record.rev = in.Varint();
  uint64_t level = in.Varint();
  record.apply_level = static_cast<uint32_t>(level);
  record.membership = std::string(in.LengthPrefixed());
  if (!in.done() || level > UINT32_MAX) return absl::DataLossError("system record: malformed");
  return record;
}

absl::StatusOr<SystemRecord> ReadSystemRecord(const Reader& reader) {
  std::string bytes;
  const absl::StatusOr<bool> found = reader.Get(SystemRecordKey(), &bytes);
  return Decode(found, bytes);
}

absl::StatusOr<SystemRecord> ReadPersistedSystemRecord(const Engine& engine) {
  std::string bytes;
  const absl::StatusOr<bool> found = engine.GetPersisted(SystemRecordKey(), &bytes);
  return Decode(found, bytes);
}

}  // namespace kdb::storage

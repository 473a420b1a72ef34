#include "pkg/env/sealed_file.h"

#include <fmt/format.h>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/base/status.h"

namespace kdb {

absl::Status WriteSealed(FileSystem& fs, const std::string& path, uint8_t version,
                         std::string_view body) {
  std::string file;
  AppendLittle(file, version);
  AppendLittle(file, Crc32c(body));
  file.append(body);
  return WriteFileDurably(fs, path, file);
}

absl::StatusOr<std::string> ReadSealed(FileSystem& fs, const std::string& path, uint8_t version) {
  KDB_ASSIGN_OR_RETURN(std::string file, ReadFile(fs, path));
  ByteReader reader(file);
  auto found = reader.Little<uint8_t>();
  auto crc = reader.Little<uint32_t>();
  if (!reader.ok()) return absl::DataLossError("the file is cut short");
  if (found != version) return absl::DataLossError(fmt::format("unknown version {}", found));
  if (crc != Crc32c(reader.rest())) return absl::DataLossError("the checksum does not match");
  return std::string(reader.rest());
}

}  // namespace kdb

// Small files that are written whole: a version byte, the CRC-32C of the body (4 bytes, little
// endian), the body.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"

namespace kdb {

// Creates or replaces `path`, as WriteFileDurably.
absl::Status WriteSealed(FileSystem& fs, const std::string& path, uint8_t version,
                         std::string_view body);
// The body. NOT_FOUND: no such file. DATA_LOSS, without the path: it is cut short, of another
// version, or its checksum does not match.
absl::StatusOr<std::string> ReadSealed(FileSystem& fs, const std::string& path, uint8_t version);

}  // namespace kdb

#include "pkg/snapshot/manifest.h"

#include <fmt/format.h>

#include <string_view>

#include "pkg/base/status.h"
#include "pkg/env/sealed_file.h"

namespace kdb::snapshot {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kMaxNameBytes = 200;
// What Staging adds to the name of a file that is not whole.
constexpr std::string_view kPart = ".part";

bool IsPlainName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name.front() == '.') return false;
  if (name == kManifestName || name.ends_with(kPart)) return false;
  for (char c : name) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 c == '.' || c == '-' || c == '_';
    if (!plain) return false;
  }
  return true;
}

}  // namespace

absl::Status Check(const Manifest& manifest) {
  if (manifest.id().empty() || manifest.meta().index() == 0 || manifest.meta().term() == 0) {
    return absl::InvalidArgumentError("a snapshot without id, index or term");
  }
  if (manifest.files_size() > kMaxFiles) {
    return absl::InvalidArgumentError(fmt::format("a snapshot of {} files, at most {} are allowed",
                                                  manifest.files_size(), kMaxFiles));
  }
  std::string_view previous;
  for (const raftpb::SnapshotFile& file : manifest.files()) {
    if (!IsPlainName(file.name())) {
      return absl::InvalidArgumentError(
          fmt::format("a snapshot with a file named '{}'", file.name()));
    }
    if (file.name() <= previous) {
      return absl::InvalidArgumentError(fmt::format("the file {} is out of order", file.name()));
    }
    previous = file.name();
  }
  return absl::OkStatus();
}

uint64_t TotalBytes(const Manifest& manifest) {
  uint64_t bytes = 0;
  for (const raftpb::SnapshotFile& file : manifest.files()) bytes += file.bytes();
  return bytes;
}

absl::Status Write(FileSystem& fs, const std::string& path, const Manifest& manifest) {
  return WriteSealed(fs, path, kVersion, manifest.SerializeAsString());
}

absl::StatusOr<std::optional<Manifest>> Read(FileSystem& fs, const std::string& path) {
  absl::StatusOr<std::string> body = ReadSealed(fs, path, kVersion);
  if (absl::IsNotFound(body.status())) return std::nullopt;
  if (absl::IsDataLoss(body.status())) {
    return absl::DataLossError(fmt::format("{}: {}", path, std::string(body.status().message())));
  }
  KDB_RETURN_IF_ERROR(body.status());
  Manifest manifest;
  if (!manifest.ParseFromString(*body) || !Check(manifest).ok()) {
    return absl::DataLossError(fmt::format("{}: it is not a snapshot's manifest", path));
  }
  return manifest;
}

}  // namespace kdb::snapshot

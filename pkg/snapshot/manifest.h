// The list of a snapshot's files (proto/raft.proto), as a file and from a stranger.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"
#include "proto/raft.pb.h"

namespace kdb::snapshot {

using Manifest = raftpb::SnapshotManifest;

inline constexpr int kMaxFiles = 100'000;
// The name under which a directory of snapshot files carries its own manifest.
inline constexpr char kManifestName[] = "SNAPSHOT";

// INVALID_ARGUMENT unless its files can be written into one directory, and no other file.
absl::Status Check(const Manifest& manifest);
// Of all files.
uint64_t TotalBytes(const Manifest& manifest);

absl::Status Write(FileSystem& fs, const std::string& path, const Manifest& manifest);
// nullopt: no such file. DATA_LOSS names `path`.
absl::StatusOr<std::optional<Manifest>> Read(FileSystem& fs, const std::string& path);

}  // namespace kdb::snapshot

// Copies of a memory engine: one file in a directory.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"
#include "pkg/storage/engine.h"
#include "pkg/storage/persistent_map.h"

namespace kdb::storage {

// Into the new directory `dir`, durably.
absl::Status WriteMemoryCopy(FileSystem& fs, const std::string& dir, const PersistentMap& map);
// NOT_FOUND: there is none in `dir`. DATA_LOSS: it is damaged.
absl::StatusOr<PersistentMap> ReadMemoryCopy(FileSystem& fs, const std::string& dir);
absl::StatusOr<std::unique_ptr<Copy>> OpenMemoryCopy(FileSystem& fs, const std::string& dir);

}  // namespace kdb::storage

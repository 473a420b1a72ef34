// A directory whose data is damaged serves no more, also when it looks well at the next start:
// RocksDB notices a bad block only when it is read (FORMAT.md).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "pkg/env/file_system.h"

namespace kdb::raftnode {

// Says so in `dir`, durably. The first reason stays.
absl::Status Quarantine(FileSystem& fs, const std::string& dir, const absl::Status& why);

// DATA_LOSS with the reason and what to do.
absl::Status CheckNotQuarantined(FileSystem& fs, const std::string& dir);

}  // namespace kdb::raftnode

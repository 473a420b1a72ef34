// A directory whose data is damaged serves no more, also when it looks well at the next start:
// RocksDB notices a bad block only when it is read (FORMAT.md).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "pkg/env/file_system.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"

namespace kdb::raftnode {

// Says so in `dir`, durably. The first reason stays.
absl::Status Quarantine(FileSystem& fs, const std::string& dir, const absl::Status& why);

// DATA_LOSS with the reason and what to do.
absl::Status CheckNotQuarantined(FileSystem& fs, const std::string& dir);

// What a server says of it, beside its readiness: a metric, and `why` in the log unless it is OK.
void TellQuarantine(const absl::Status& why, obs::Registry& metrics, const obs::Logger& logger);

}  // namespace kdb::raftnode

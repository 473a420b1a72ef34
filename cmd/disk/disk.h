// Which file system a server keeps its data on. Chosen when linking: disk.cc for users,
// e2e/faults/power_off_disk.cc for the tests in which the end of the process is a power failure.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"

namespace kdb::process {

// For everything below `data_dir`.
absl::StatusOr<std::unique_ptr<FileSystem>> OpenDisk(const std::string& data_dir);

}  // namespace kdb::process

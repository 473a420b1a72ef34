#include "cmd/disk/disk.h"

namespace kdb::process {

absl::StatusOr<std::unique_ptr<FileSystem>> OpenDisk(const std::string& /*data_dir*/) {
  return NewPosixFileSystem();
}

}  // namespace kdb::process

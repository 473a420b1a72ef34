// The directory of a demo: data, logs and demo.json (kdbctl demo --dir).
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"

namespace kdb::ctl {

// Held by one demo at a time; others do not touch what is in it.
class DemoDir {
 public:
  // Creates it if need be. FAILED_PRECONDITION: another demo runs in it, or what is in it is not a
  // demo's.
  static absl::StatusOr<DemoDir> Claim(FileSystem& fs, const std::string& dir);

  // Removes what earlier runs have left.
  absl::Status Clear();
  // Replaces demo.json.
  absl::Status WriteState(const std::string& json);

 private:
  DemoDir(FileSystem& fs, std::string dir, std::unique_ptr<FileLock> lock);

  FileSystem* fs_;
  std::string dir_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace kdb::ctl

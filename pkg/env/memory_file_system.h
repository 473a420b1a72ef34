// A disk in memory whose power can fail and whose calls can be made to fail: for unit tests and
// simulation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/env/crash_file_system.h"
#include "pkg/env/disk_image.h"
#include "pkg/env/fault_file_system.h"
#include "pkg/env/file_system.h"

namespace kdb {

// Deterministic: the same calls and seeds give the same bytes. Thread-safe but for Crash, which is
// called when no other call is under way. Outlives the files it opened. "/" exists.
class MemoryFileSystem : public FileSystem {
 public:
  explicit MemoryFileSystem(CrashOptions options = {});
  ~MemoryFileSystem() override;

  // A power failure: what was not synced is gone. Files and locks of before are dead (their calls
  // are ABORTED). Clears the fault plan.
  void Crash();
  // As above, but a random part of what was not synced survives: 512-byte sectors of writes in any
  // order, a file's new size, changes of names in any order.
  void Crash(Random& random);

  FaultPlan& faults() { return faults_; }
  // The sum of all files' sizes beyond which writes meet ENOSPC.
  void SetCapacity(uint64_t bytes) { disk_.SetCapacity(bytes); }
  // What is durable. To be changed (bit rot) only right after a Crash, before files are opened.
  DiskImage& disk() { return disk_; }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::Status CreateDir(const std::string& dir) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status HardLink(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDir(const std::string& dir) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  absl::StatusOr<Space> DiskSpace(const std::string& path) override;

 private:
  void PowerOn();
  void Crash(Random* random);

  const CrashOptions options_;
  DiskImage disk_;
  FaultPlan faults_;
  std::unique_ptr<CrashFileSystem> held_;
  std::unique_ptr<FileSystem> front_;  // the fault plan over held_
};

}  // namespace kdb

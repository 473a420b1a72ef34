// A file of CrashFileSystem: an inode, whatever its names.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "pkg/env/held_content.h"

namespace kdb {

std::string JoinPath(const std::string& dir, std::string_view name);

// What the files of one CrashFileSystem share with it.
struct HeldDisk {
  FileSystem& base;
  const std::string root;
  const std::string
      staging;  // holds a link to every file in use, so that content outlives its names
  const bool lose_syncs;
  std::atomic<bool> off{false};         // the power is off: every call fails
  std::atomic<int64_t> held_growth{0};  // bytes by which held files are longer than on the disk
  std::atomic<uint64_t> next_id{1};

  std::string NewStagingPath();
  absl::Status CheckOn() const;
};

// Thread-safe. Disk I/O happens under the file's mutex: the order of flushes is the point here, not
// speed.
class HeldFile {
 public:
  // `path` is its link in the staging directory; removed with the object.
  HeldFile(std::shared_ptr<HeldDisk> disk, std::string path, std::unique_ptr<File> file,
           uint64_t size);
  ~HeldFile();

  absl::StatusOr<size_t> Read(uint64_t offset, size_t n, char* out);
  absl::Status Write(uint64_t offset, std::string_view data);
  absl::Status Allocate(uint64_t size);
  absl::Status Truncate(uint64_t size);
  absl::StatusOr<uint64_t> Size();
  absl::Status Sync();
  absl::Status FlushSome(Random& random);

  const std::string& path() const { return path_; }

 private:
  absl::Status ReserveLocked(uint64_t size, std::string_view call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChargeLocked(int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<HeldDisk> disk_;  // shared: handles may outlive the file system
  const std::string path_;
  const std::unique_ptr<File> file_;

  Mutex mu_;
  HeldContent content_ ABSL_GUARDED_BY(mu_);
  uint64_t disk_size_ ABSL_GUARDED_BY(mu_);
  int64_t charged_ ABSL_GUARDED_BY(mu_) = 0;  // its part of held_growth
};

}  // namespace kdb

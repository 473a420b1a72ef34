// A file system in memory that never loses anything: the "disk" below CrashFileSystem in tests.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/env/file_system.h"

namespace kdb {

// Thread-safe. Open files stay valid after their names are gone, and after the image is.
class DiskImage : public FileSystem {
 public:
  static constexpr uint64_t kUnlimited = uint64_t{1} << 50;

  // "/" and "." exist.
  DiskImage();
  ~DiskImage() override;

  // Writes that grow the sum of all file sizes beyond this fail with RESOURCE_EXHAUSTED.
  void SetCapacity(uint64_t bytes);

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

  struct Usage;    // bytes used and capacity, shared with the files
  struct Content;  // of one file, shared by its names and handles

 private:
  // Files and directories (null content) by path. Sorted, so the children of a directory are a
  // range.
  using Nodes = std::map<std::string, std::shared_ptr<Content>>;

  absl::StatusOr<Nodes::iterator> Find(const std::string& path, std::string_view call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Nodes::iterator> FindFile(const std::string& path, std::string_view call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RequireParent(const std::string& path, std::string_view call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasChildren(const std::string& dir) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RenameDir(const std::string& from, const std::string& to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Usage> usage_;  // shared with the files, which may outlive the image

  Mutex mu_;
  Nodes nodes_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb

// The file system as ERaftKDB needs it, so that tests can lose what was not synced and make any
// call fail.
//
// Durability: bytes written are durable once Sync or DataSync of that file returned OK; a created,
// renamed or removed name is durable once SyncDir of its directory returned OK. Everything else may
// be lost, whole or in part, at a power failure. After a failed sync nothing of that file may be
// trusted (design 3).
//
// Errors: NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED (ENOSPC, EDQUOT), PERMISSION_DENIED
// (EACCES, EPERM, EROFS), DATA_LOSS (EIO), else UNKNOWN. Messages name the call, the path and
// errno's text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kdb {

enum class OpenMode {
  kReadOnly,
  kReadWrite,  // must exist
  kCreateNew,  // must not exist
  kCreateOrTruncate,
};

// An open file. Thread-safe for concurrent ReadAt; writes and syncs from one thread at a time.
class File {
 public:
  virtual ~File() = default;

  // Reads up to `n` bytes at `offset` into `out` (n bytes); a short count means end of file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const = 0;
  // Writes all of `data` at `offset`, extending the file if needed.
  virtual absl::Status WriteAt(uint64_t offset, std::string_view data) = 0;
  // Allocates disk space for [0, size) and extends the file to `size` (zeros), so that later writes
  // need no metadata update and cannot meet ENOSPC.
  virtual absl::Status Allocate(uint64_t size) = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  virtual absl::StatusOr<uint64_t> Size() const = 0;
  virtual absl::Status DataSync() = 0;  // fdatasync: content and size
  virtual absl::Status Sync() = 0;      // fsync
  virtual absl::Status Close() = 0;     // the destructor closes too, and drops the error
};

// An exclusive lock on a path, held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Thread-safe. Paths are absolute or relative to the process's working directory, '/'-separated.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  // Names (not paths) in `dir`, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;
  // OK when it exists already; parents must exist.
  virtual absl::Status CreateDir(const std::string& dir) = 0;
  // Replaces `to` atomically if it is there.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status HardLink(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  virtual absl::Status RemoveDir(const std::string& dir) = 0;  // must be empty
  virtual absl::Status SyncDir(const std::string& dir) = 0;
  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // FAILED_PRECONDITION when another process (or this one) holds it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  struct Space {
    uint64_t total_bytes;      // but for what is reserved for the superuser
    uint64_t available_bytes;  // to this process
  };
  virtual absl::StatusOr<Space> DiskSpace(const std::string& path) = 0;
};

// The operating system's. Live as long as every File it opened.
std::unique_ptr<FileSystem> NewPosixFileSystem();

// The whole content of a file.
absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path);
// Creates or replaces `path` atomically and durably: temporary name, Sync, Rename, SyncDir.
absl::Status WriteFileDurably(FileSystem& fs, const std::string& path, std::string_view content);
// Creates `dir` and its missing parents, durably.
absl::Status CreateDirs(FileSystem& fs, const std::string& dir);
// Removes `dir` with all in it; OK when it is not there.
absl::Status RemoveTree(FileSystem& fs, const std::string& dir);

}  // namespace kdb

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "pkg/base/status.h"
#include "pkg/env/errno_status.h"
#include "pkg/env/file_system.h"

namespace kdb {
namespace {

absl::Status FromErrno(std::string_view call, std::string_view path) {
  return ErrnoStatus(errno, call, path);
}

// A file descriptor, closed on destruction.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::StatusOr<Fd> OpenFd(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return FromErrno("open", path);
  return Fd(fd);
}

class PosixFile : public File {
 public:
  PosixFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    size_t done = 0;
    while (done < n) {
      ssize_t r = ::pread(fd_.get(), out + done, n - done, static_cast<off_t>(offset + done));
      if (r < 0 && errno == EINTR) continue;
      if (r < 0) return FromErrno("pread", path_);
      if (r == 0) break;
      done += static_cast<size_t>(r);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      ssize_t w = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (w < 0 && errno == EINTR) continue;
      if (w < 0) return FromErrno("pwrite", path_);
      data.remove_prefix(static_cast<size_t>(w));
      offset += static_cast<uint64_t>(w);
    }
    return absl::OkStatus();
  }

  absl::Status Allocate(uint64_t size) override {
    int error;
    do {
      error = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(size));
    } while (error == EINTR);
    return error == 0 ? absl::OkStatus() : ErrnoStatus(error, "posix_fallocate", path_);
  }

  absl::Status Truncate(uint64_t size) override {
    return Check(::ftruncate(fd_.get(), static_cast<off_t>(size)), "ftruncate");
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat st = {};
    if (::fstat(fd_.get(), &st) != 0) return FromErrno("fstat", path_);
    return static_cast<uint64_t>(st.st_size);
  }

  absl::Status DataSync() override { return Check(::fdatasync(fd_.get()), "fdatasync"); }
  absl::Status Sync() override { return Check(::fsync(fd_.get()), "fsync"); }

  absl::Status Close() override {
    int fd = fd_.Release();
    return fd < 0 ? absl::OkStatus() : Check(::close(fd), "close");
  }

 private:
  absl::Status Check(int result, std::string_view call) const {
    return result == 0 ? absl::OkStatus() : FromErrno(call, path_);
  }

  const std::string path_;
  Fd fd_;
};

class PosixLock : public FileLock {
 public:
  explicit PosixLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;  // closing it releases the flock
};

int FlagsOf(OpenMode mode) {
  switch (mode) {
    case OpenMode::kReadOnly:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kCreateOrTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    KDB_ASSIGN_OR_RETURN(Fd fd, OpenFd(path, FlagsOf(mode)));
    return std::make_unique<PosixFile>(path, std::move(fd));
  }

  absl::StatusOr<bool> Exists(const std::string& path) override {
    struct stat st = {};
    if (::stat(path.c_str(), &st) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return FromErrno("stat", path);
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    DIR* stream = ::opendir(dir.c_str());
    if (stream == nullptr) return FromErrno("opendir", dir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    int error = errno;
    ::closedir(stream);
    if (error != 0) return ErrnoStatus(error, "readdir", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status CreateDir(const std::string& dir) override {
    if (::mkdir(dir.c_str(), 0755) == 0) return absl::OkStatus();
    int error = errno;
    struct stat st = {};
    if (error == EEXIST && ::stat(dir.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) {
      return absl::OkStatus();
    }
    return ErrnoStatus(error, "mkdir", dir);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    return Check(::rename(from.c_str(), to.c_str()), "rename", from);
  }
  absl::Status HardLink(const std::string& from, const std::string& to) override {
    return Check(::link(from.c_str(), to.c_str()), "link", from);
  }
  absl::Status Remove(const std::string& path) override {
    return Check(::unlink(path.c_str()), "unlink", path);
  }
  absl::Status RemoveDir(const std::string& dir) override {
    return Check(::rmdir(dir.c_str()), "rmdir", dir);
  }

  absl::Status SyncDir(const std::string& dir) override {
    KDB_ASSIGN_OR_RETURN(Fd fd, OpenFd(dir, O_RDONLY | O_DIRECTORY));
    return Check(::fsync(fd.get()), "fsync", dir);
  }

  absl::StatusOr<uint64_t> FileSize(const std::string& path) override {
    struct stat st = {};
    if (::stat(path.c_str(), &st) != 0) return FromErrno("stat", path);
    return static_cast<uint64_t>(st.st_size);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    KDB_ASSIGN_OR_RETURN(Fd fd, OpenFd(path, O_RDWR | O_CREAT));
    // flock, not fcntl: it also excludes a second holder within this process.
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      return std::make_unique<PosixLock>(std::move(fd));
    }
    if (errno != EWOULDBLOCK) return FromErrno("flock", path);
    return absl::FailedPreconditionError(
        fmt::format("{} is locked: another process uses this directory", path));
  }

  absl::StatusOr<Space> DiskSpace(const std::string& path) override {
    struct statvfs st = {};
    if (::statvfs(path.c_str(), &st) != 0) return FromErrno("statvfs", path);
    return Space{.total_bytes = (st.f_blocks - st.f_bfree + st.f_bavail) * st.f_frsize,
                 .available_bytes = st.f_bavail * st.f_frsize};
  }

 private:
  static absl::Status Check(int result, std::string_view call, const std::string& path) {
    return result == 0 ? absl::OkStatus() : FromErrno(call, path);
  }
};

}  // namespace

std::unique_ptr<FileSystem> NewPosixFileSystem() { return std::make_unique<PosixFileSystem>(); }

}  // namespace kdb

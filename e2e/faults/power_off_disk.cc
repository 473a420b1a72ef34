// The disk of the power-off test's servers: what is not synced when the process ends is gone. With
// KDB_LOSE_SYNCS in the environment syncs do nothing, to prove that the test notices:
//   all        of every file
//   fdatasync  fdatasync of the raft log: a new segment's header is lost, too
//   appends    fdatasync of segments in use: the log stays well formed and lacks its newest records
// While there is a file named stall-syncs in the data directory no sync of the raft log ends.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "cmd/disk/disk.h"
#include "pkg/base/status.h"
#include "pkg/env/crash_file_system.h"

namespace kdb::process {
namespace {

// Segments of the raft log of kv and meta.
bool IsRaftLog(std::string_view path) {
  return path.find("/log/") != path.npos || path.find("/wal/") != path.npos;
}

// A segment that has its header, and so its name.
bool IsSegmentInUse(std::string_view path) { return IsRaftLog(path) && path.ends_with(".wal"); }

// A file whose fdatasync does nothing.
class UnsyncedFile final : public File {
 public:
  explicit UnsyncedFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    return file_->ReadAt(offset, n, out);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return file_->WriteAt(offset, data);
  }
  absl::Status Allocate(uint64_t size) override { return file_->Allocate(size); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::Status DataSync() override { return absl::OkStatus(); }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status Close() override { return file_->Close(); }

 private:
  const std::unique_ptr<File> file_;
};

// A file whose syncs do not end as long as `stall` is there.
class StallingFile final : public File {
 public:
  StallingFile(std::unique_ptr<File> file, std::string stall)
      : file_(std::move(file)), stall_(std::move(stall)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    return file_->ReadAt(offset, n, out);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return file_->WriteAt(offset, data);
  }
  absl::Status Allocate(uint64_t size) override { return file_->Allocate(size); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::Status DataSync() override {
    Wait();
    return file_->DataSync();
  }
  absl::Status Sync() override {
    Wait();
    return file_->Sync();
  }
  absl::Status Close() override { return file_->Close(); }

 private:
  void Wait() const {
    while (::access(stall_.c_str(), F_OK) == 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  const std::unique_ptr<File> file_;
  const std::string stall_;
};

// Owns the file system below as well.
class PowerOffDisk final : public FileSystem {
 public:
  // Files of which `loses` says true are not synced.
  PowerOffDisk(std::unique_ptr<FileSystem> base, std::unique_ptr<CrashFileSystem> fs,
               bool (*loses)(std::string_view path), std::string stall)
      : base_(std::move(base)), fs_(std::move(fs)), loses_(loses), stall_(std::move(stall)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs_->Open(path, mode));
    if (loses_(path)) return std::make_unique<UnsyncedFile>(std::move(file));
    if (IsRaftLog(path)) return std::make_unique<StallingFile>(std::move(file), stall_);
    return file;
  }
  absl::StatusOr<bool> Exists(const std::string& path) override { return fs_->Exists(path); }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    return fs_->List(dir);
  }
  absl::Status CreateDir(const std::string& dir) override { return fs_->CreateDir(dir); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return fs_->Rename(from, to);
  }
  absl::Status HardLink(const std::string& from, const std::string& to) override {
    return fs_->HardLink(from, to);
  }
  absl::Status Remove(const std::string& path) override { return fs_->Remove(path); }
  absl::Status RemoveDir(const std::string& dir) override { return fs_->RemoveDir(dir); }
  absl::Status SyncDir(const std::string& dir) override { return fs_->SyncDir(dir); }
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override {
    return fs_->FileSize(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return fs_->Lock(path);
  }
  absl::StatusOr<Space> DiskSpace(const std::string& path) override { return fs_->DiskSpace(path); }

 private:
  const std::unique_ptr<FileSystem> base_;
  const std::unique_ptr<CrashFileSystem> fs_;  // uses base_
  bool (*const loses_)(std::string_view path);
  const std::string stall_;
};

std::string_view LoseSyncs() {
  const char* value = std::getenv("KDB_LOSE_SYNCS");
  return value == nullptr ? "" : value;
}

bool Nothing(std::string_view /*path*/) { return false; }

}  // namespace

absl::StatusOr<std::unique_ptr<FileSystem>> OpenDisk(const std::string& data_dir) {
  std::unique_ptr<FileSystem> base = NewPosixFileSystem();
  KDB_RETURN_IF_ERROR(CreateDirs(*base, data_dir));
  KDB_ASSIGN_OR_RETURN(
      auto fs, CrashFileSystem::Create(*base, data_dir, {.lose_syncs = LoseSyncs() == "all"}));
  auto loses = LoseSyncs() == "fdatasync" ? IsRaftLog
               : LoseSyncs() == "appends" ? IsSegmentInUse
                                          : Nothing;
  return std::make_unique<PowerOffDisk>(std::move(base), std::move(fs), loses,
                                        data_dir + "/stall-syncs");
}

}  // namespace kdb::process

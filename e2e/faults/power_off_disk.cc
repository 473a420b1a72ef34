// The disk of the power-off test's servers: what is not synced when the process ends is gone. With
// KDB_LOSE_SYNCS=1 in the environment syncs do nothing, to prove that the test notices.
#include <cstdlib>
#include <string_view>

#include "cmd/disk/disk.h"
#include "pkg/base/status.h"
#include "pkg/env/crash_file_system.h"

namespace kdb::process {
namespace {

// Owns the file system below as well.
class PowerOffDisk final : public FileSystem {
 public:
  PowerOffDisk(std::unique_ptr<FileSystem> base, std::unique_ptr<CrashFileSystem> fs)
      : base_(std::move(base)), fs_(std::move(fs)) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    return fs_->Open(path, mode);
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
};

bool LoseSyncs() {
  const char* value = std::getenv("KDB_LOSE_SYNCS");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileSystem>> OpenDisk(const std::string& data_dir) {
  std::unique_ptr<FileSystem> base = NewPosixFileSystem();
  KDB_RETURN_IF_ERROR(CreateDirs(*base, data_dir));
  KDB_ASSIGN_OR_RETURN(auto fs,
                       CrashFileSystem::Create(*base, data_dir, {.lose_syncs = LoseSyncs()}));
  return std::make_unique<PowerOffDisk>(std::move(base), std::move(fs));
}

}  // namespace kdb::process

#include "pkg/ctl/demo_dir.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "pkg/base/status.h"

namespace kdb::ctl {
namespace {

constexpr char kStateFile[] = "demo.json";
constexpr char kLockFile[] = "demo.lock";

bool IsDemo(const std::vector<std::string>& names) {
  return names.empty() || std::any_of(names.begin(), names.end(), [](const std::string& name) {
           return name == kStateFile || name == kLockFile;
         });
}

}  // namespace

DemoDir::DemoDir(FileSystem& fs, std::string dir, std::unique_ptr<FileLock> lock)
    : fs_(&fs), dir_(std::move(dir)), lock_(std::move(lock)) {}

absl::StatusOr<DemoDir> DemoDir::Claim(FileSystem& fs, const std::string& dir) {
  if (dir.empty()) return absl::InvalidArgumentError("--dir must name a directory");
  KDB_RETURN_IF_ERROR(CreateDirs(fs, dir));
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  if (!IsDemo(names)) {
    return absl::FailedPreconditionError(
        fmt::format("{} is not empty and not a demo's directory (no {}): choose another --dir", dir,
                    kStateFile));
  }
  absl::StatusOr<std::unique_ptr<FileLock>> lock = fs.Lock(fmt::format("{}/{}", dir, kLockFile));
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        fmt::format("another demo runs in {}: stop it or choose another --dir", dir));
  }
  if (!lock.ok()) return lock.status();
  return DemoDir(fs, dir, *std::move(lock));
}

absl::Status DemoDir::Clear() {
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> names, fs_->List(dir_));
  for (const std::string& name : names) {
    if (name == kLockFile) continue;
    std::string path = fmt::format("{}/{}", dir_, name);
    if (fs_->Remove(path).ok()) continue;  // fails on a directory
    KDB_RETURN_IF_ERROR(RemoveTree(*fs_, path));
  }
  return absl::OkStatus();
}

absl::Status DemoDir::WriteState(const std::string& json) {
  return WriteFileDurably(*fs_, fmt::format("{}/{}", dir_, kStateFile), json);
}

}  // namespace kdb::ctl

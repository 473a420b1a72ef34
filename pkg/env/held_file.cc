#include "pkg/env/held_file.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/status.h"
#include "pkg/env/errno_status.h"

namespace kdb {

std::string JoinPath(const std::string& dir, std::string_view name) {
  return fmt::format("{}{}{}", dir, dir.ends_with('/') ? "" : "/", name);
}

std::string HeldDisk::NewStagingPath() { return JoinPath(staging, std::to_string(next_id++)); }

absl::Status HeldDisk::CheckOn() const {
  return off ? absl::AbortedError("the simulated power is off") : absl::OkStatus();
}

HeldFile::HeldFile(std::shared_ptr<HeldDisk> disk, std::string path, std::unique_ptr<File> file,
                   uint64_t size)
    : disk_(std::move(disk)),
      path_(std::move(path)),
      file_(std::move(file)),
      content_(*file_, size),
      disk_size_(size) {}

HeldFile::~HeldFile() {
  disk_->held_growth -= charged_;
  // After a power-off the path may belong to the next life. A link that cannot be removed now is at
  // its start.
  if (!disk_->off) disk_->base.Remove(path_).IgnoreError();
}

void HeldFile::ChargeLocked(int64_t bytes) {
  disk_->held_growth += bytes - charged_;
  charged_ = bytes;
}

// A real file system reserves space when bytes are written, not when they are synced.
absl::Status HeldFile::ReserveLocked(uint64_t size, std::string_view call) {
  if (size <= content_.size()) return absl::OkStatus();
  KDB_ASSIGN_OR_RETURN(FileSystem::Space space, disk_->base.DiskSpace(disk_->root));
  auto growth = static_cast<int64_t>(size - std::min(size, disk_size_));
  if (disk_->held_growth + growth - charged_ > static_cast<int64_t>(space.available_bytes)) {
    return ErrnoStatus(ENOSPC, call, path_);
  }
  ChargeLocked(growth);
  return absl::OkStatus();
}

absl::StatusOr<size_t> HeldFile::Read(uint64_t offset, size_t n, char* out) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  MutexLock lock(mu_);
  return content_.Read(offset, n, out);
}

absl::Status HeldFile::Write(uint64_t offset, std::string_view data) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  MutexLock lock(mu_);
  KDB_RETURN_IF_ERROR(ReserveLocked(offset + data.size(), "pwrite"));
  content_.Write(offset, data);
  return absl::OkStatus();
}

absl::Status HeldFile::Allocate(uint64_t size) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  MutexLock lock(mu_);
  KDB_RETURN_IF_ERROR(ReserveLocked(size, "posix_fallocate"));
  content_.Allocate(size);
  return absl::OkStatus();
}

absl::Status HeldFile::Truncate(uint64_t size) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  MutexLock lock(mu_);
  content_.Truncate(size);
  ChargeLocked(static_cast<int64_t>(size - std::min(size, disk_size_)));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> HeldFile::Size() {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  MutexLock lock(mu_);
  return content_.size();
}

absl::Status HeldFile::Sync() {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  if (disk_->lose_syncs) return absl::OkStatus();
  MutexLock lock(mu_);
  // The disk's own sync is left out: what was handed to the kernel survives the death of the
  // process, which is the power failure here.
  KDB_RETURN_IF_ERROR(content_.Flush());
  disk_size_ = content_.size();
  ChargeLocked(0);
  return absl::OkStatus();
}

absl::Status HeldFile::FlushSome(Random& random) {
  MutexLock lock(mu_);
  return content_.FlushSome(random);
}

}  // namespace kdb

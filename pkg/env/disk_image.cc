#include "pkg/env/disk_image.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/status.h"
#include "pkg/env/errno_status.h"

namespace kdb {

struct DiskImage::Usage {
  std::atomic<uint64_t> capacity{kUnlimited};
  std::atomic<uint64_t> used{0};
};

struct DiskImage::Content {
  explicit Content(std::shared_ptr<Usage> u) : usage(std::move(u)) {}
  ~Content() { usage->used -= bytes.size(); }

  absl::Status ResizeLocked(uint64_t size, std::string_view call)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    uint64_t old = bytes.size();
    if (size > old) {
      if (usage->used + (size - old) > usage->capacity) {
        return ErrnoStatus(ENOSPC, call, "in memory");
      }
      usage->used += size - old;
    } else {
      usage->used -= old - size;
    }
    bytes.resize(size);
    return absl::OkStatus();
  }

  const std::shared_ptr<Usage> usage;
  Mutex mu;
  std::string bytes ABSL_GUARDED_BY(mu);
};

namespace {

class ImageFile : public File {
 public:
  explicit ImageFile(std::shared_ptr<DiskImage::Content> content) : content_(std::move(content)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    MutexLock lock(content_->mu);
    if (offset >= content_->bytes.size()) return 0;
    n = std::min(n, static_cast<size_t>(content_->bytes.size() - offset));
    if (n > 0) std::memcpy(out, content_->bytes.data() + offset, n);
    return n;
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    if (data.empty()) return absl::OkStatus();
    MutexLock lock(content_->mu);
    if (offset + data.size() > content_->bytes.size()) {
      KDB_RETURN_IF_ERROR(content_->ResizeLocked(offset + data.size(), "pwrite"));
    }
    std::memcpy(content_->bytes.data() + offset, data.data(), data.size());
    return absl::OkStatus();
  }
  absl::Status Allocate(uint64_t size) override {
    MutexLock lock(content_->mu);
    if (size <= content_->bytes.size()) return absl::OkStatus();
    return content_->ResizeLocked(size, "posix_fallocate");
  }
  absl::Status Truncate(uint64_t size) override {
    MutexLock lock(content_->mu);
    return content_->ResizeLocked(size, "ftruncate");
  }
  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(content_->mu);
    return content_->bytes.size();
  }
  absl::Status DataSync() override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<DiskImage::Content> content_;  // shared with the names and other handles
};

// Locks belong to CrashFileSystem, which models the process that holds them.
class NoLock : public FileLock {};

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string PrefixOf(const std::string& dir) { return dir == "/" ? dir : dir + "/"; }

}  // namespace

DiskImage::DiskImage() : usage_(std::make_shared<Usage>()) {
  nodes_["/"] = nullptr;
  nodes_["."] = nullptr;
}

DiskImage::~DiskImage() = default;

void DiskImage::SetCapacity(uint64_t bytes) { usage_->capacity = bytes; }

absl::StatusOr<DiskImage::Nodes::iterator> DiskImage::Find(const std::string& path,
                                                           std::string_view call) {
  auto it = nodes_.find(path);
  if (it == nodes_.end()) return ErrnoStatus(ENOENT, call, path);
  return it;
}

absl::StatusOr<DiskImage::Nodes::iterator> DiskImage::FindFile(const std::string& path,
                                                               std::string_view call) {
  KDB_ASSIGN_OR_RETURN(auto it, Find(path, call));
  if (it->second == nullptr) return ErrnoStatus(EISDIR, call, path);
  return it;
}

absl::Status DiskImage::RequireParent(const std::string& path, std::string_view call) {
  KDB_ASSIGN_OR_RETURN(auto it, Find(ParentOf(path), call));
  return it->second == nullptr ? absl::OkStatus() : ErrnoStatus(ENOTDIR, call, path);
}

bool DiskImage::HasChildren(const std::string& dir) {
  std::string prefix = PrefixOf(dir);
  auto it = nodes_.upper_bound(prefix);
  return it != nodes_.end() && it->first.starts_with(prefix);
}

absl::StatusOr<std::unique_ptr<File>> DiskImage::Open(const std::string& path, OpenMode mode) {
  MutexLock lock(mu_);
  bool may_create = mode == OpenMode::kCreateNew || mode == OpenMode::kCreateOrTruncate;
  if (may_create && !nodes_.contains(path)) {
    KDB_RETURN_IF_ERROR(RequireParent(path, "open"));
    auto content = std::make_shared<Content>(usage_);
    nodes_[path] = content;
    return std::make_unique<ImageFile>(std::move(content));
  }
  if (mode == OpenMode::kCreateNew) return ErrnoStatus(EEXIST, "open", path);
  KDB_ASSIGN_OR_RETURN(auto it, FindFile(path, "open"));
  auto file = std::make_unique<ImageFile>(it->second);
  if (mode == OpenMode::kCreateOrTruncate) KDB_RETURN_IF_ERROR(file->Truncate(0));
  return file;
}

absl::StatusOr<bool> DiskImage::Exists(const std::string& path) {
  MutexLock lock(mu_);
  return nodes_.contains(path);
}

absl::StatusOr<std::vector<std::string>> DiskImage::List(const std::string& dir) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto node, Find(dir, "opendir"));
  if (node->second != nullptr) return ErrnoStatus(ENOTDIR, "opendir", dir);
  std::string prefix = PrefixOf(dir);
  std::vector<std::string> names;
  for (auto it = nodes_.upper_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix);
       ++it) {
    std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) names.push_back(std::move(name));
  }
  return names;
}

absl::Status DiskImage::CreateDir(const std::string& dir) {
  MutexLock lock(mu_);
  auto it = nodes_.find(dir);
  if (it != nodes_.end()) {
    return it->second == nullptr ? absl::OkStatus() : ErrnoStatus(EEXIST, "mkdir", dir);
  }
  KDB_RETURN_IF_ERROR(RequireParent(dir, "mkdir"));
  nodes_[dir] = nullptr;
  return absl::OkStatus();
}

absl::Status DiskImage::RenameDir(const std::string& from, const std::string& to) {
  if (HasChildren(to)) return ErrnoStatus(ENOTEMPTY, "rename", to);
  std::string prefix = from + "/";
  if (to.starts_with(prefix)) return ErrnoStatus(EINVAL, "rename", to);
  Nodes moved;
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix);
       it = nodes_.erase(it)) {
    moved[to + it->first.substr(from.size())] = it->second;
  }
  nodes_.erase(from);
  nodes_[to] = nullptr;
  nodes_.merge(moved);
  return absl::OkStatus();
}

absl::Status DiskImage::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto source, Find(from, "rename"));
  KDB_RETURN_IF_ERROR(RequireParent(to, "rename"));
  std::shared_ptr<Content> content = source->second;
  auto target = nodes_.find(to);
  if (target != nodes_.end() && (target->second == nullptr) != (content == nullptr)) {
    return ErrnoStatus(content == nullptr ? ENOTDIR : EISDIR, "rename", to);
  }
  if (from == to) return absl::OkStatus();
  if (content == nullptr) return RenameDir(from, to);
  if (target != nodes_.end() && target->second == content) return absl::OkStatus();  // as POSIX
  nodes_.erase(source);
  nodes_[to] = std::move(content);
  return absl::OkStatus();
}

absl::Status DiskImage::HardLink(const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto source, FindFile(from, "link"));
  KDB_RETURN_IF_ERROR(RequireParent(to, "link"));
  std::shared_ptr<Content> content = source->second;
  bool added = nodes_.emplace(to, std::move(content)).second;
  return added ? absl::OkStatus() : ErrnoStatus(EEXIST, "link", to);
}

absl::Status DiskImage::Remove(const std::string& path) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto it, FindFile(path, "unlink"));
  nodes_.erase(it);
  return absl::OkStatus();
}

absl::Status DiskImage::RemoveDir(const std::string& dir) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto it, Find(dir, "rmdir"));
  if (it->second != nullptr) return ErrnoStatus(ENOTDIR, "rmdir", dir);
  if (HasChildren(dir)) return ErrnoStatus(ENOTEMPTY, "rmdir", dir);
  nodes_.erase(it);
  return absl::OkStatus();
}

absl::Status DiskImage::SyncDir(const std::string& dir) {
  MutexLock lock(mu_);
  return Find(dir, "fsync").status();
}

absl::StatusOr<uint64_t> DiskImage::FileSize(const std::string& path) {
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(auto it, FindFile(path, "stat"));
  return ImageFile(it->second).Size();
}

absl::StatusOr<std::unique_ptr<FileLock>> DiskImage::Lock(const std::string& path) {
  KDB_RETURN_IF_ERROR(Open(path, OpenMode::kCreateOrTruncate).status());
  return std::make_unique<NoLock>();
}

absl::StatusOr<FileSystem::Space> DiskImage::DiskSpace(const std::string& path) {
  MutexLock lock(mu_);
  KDB_RETURN_IF_ERROR(Find(path, "statvfs").status());
  uint64_t capacity = usage_->capacity;
  return Space{.total_bytes = capacity,
               .available_bytes = capacity - std::min<uint64_t>(capacity, usage_->used)};
}

}  // namespace kdb

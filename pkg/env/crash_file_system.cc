#include "pkg/env/crash_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fmt/format.h"
#include "pkg/base/status.h"
#include "pkg/env/errno_status.h"

namespace kdb {

struct CrashFileSystem::Locks {
  Mutex mu;
  std::set<std::string> held ABSL_GUARDED_BY(mu);
};

namespace {

constexpr std::string_view kStagingName = ".unsynced";

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    size_t slash = std::min(path.find('/'), path.size());
    std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

absl::Status CrossesRoot(const std::string& from, const std::string& to) {
  return ErrnoStatus(EXDEV, "rename", fmt::format("{} -> {}", from, to));
}

class CrashFile : public File {
 public:
  explicit CrashFile(std::shared_ptr<HeldFile> file) : file_(std::move(file)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    return file_->Read(offset, n, out);
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    return file_->Write(offset, data);
  }
  absl::Status Allocate(uint64_t size) override { return file_->Allocate(size); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::Status DataSync() override { return file_->Sync(); }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<HeldFile> file_;  // shared with the names and other handles
};

}  // namespace

absl::StatusOr<std::unique_ptr<CrashFileSystem>> CrashFileSystem::Create(FileSystem& base,
                                                                         std::string root,
                                                                         CrashOptions options) {
  std::string staging = JoinPath(root, kStagingName);
  KDB_RETURN_IF_ERROR(RemoveTree(base, staging));
  KDB_RETURN_IF_ERROR(base.CreateDir(staging));
  std::shared_ptr<HeldDisk> disk(
      new HeldDisk{base, std::move(root), std::move(staging), options.lose_syncs});
  return std::unique_ptr<CrashFileSystem>(new CrashFileSystem(std::move(disk)));
}

CrashFileSystem::CrashFileSystem(std::shared_ptr<HeldDisk> disk)
    : disk_(std::move(disk)),
      root_parts_(Split(disk_->root)),
      root_(std::make_shared<Node>()),
      locks_(std::make_shared<Locks>()) {
  MutexLock lock(mu_);
  root_->is_dir = true;
}

CrashFileSystem::~CrashFileSystem() = default;

std::optional<std::vector<std::string>> CrashFileSystem::Below(const std::string& path) const {
  std::vector<std::string> parts = Split(path);
  if (parts.size() < root_parts_.size() ||
      !std::equal(root_parts_.begin(), root_parts_.end(), parts.begin())) {
    return std::nullopt;
  }
  parts.erase(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(root_parts_.size()));
  return parts;
}

std::string CrashFileSystem::DiskPathLocked(const Node& node) const {
  if (&node == root_.get()) return disk_->root;
  if (node.parent == nullptr) return node.staged;
  return JoinPath(DiskPathLocked(*node.parent), node.name);
}

absl::Status CrashFileSystem::LoadLocked(Node& dir) {
  if (dir.loaded) return absl::OkStatus();
  std::string path = DiskPathLocked(dir);
  KDB_ASSIGN_OR_RETURN(std::vector<std::string> names, disk_->base.List(path));
  for (const std::string& name : names) {
    if (&dir == root_.get() && name == kStagingName) continue;
    auto node = std::make_shared<Node>();
    node->is_dir = disk_->base.List(JoinPath(path, name)).ok();
    node->parent = &dir;
    node->name = name;
    dir.names[name] = dir.on_disk[name] = std::move(node);
  }
  dir.loaded = true;
  return absl::OkStatus();
}

absl::StatusOr<CrashFileSystem::Node*> CrashFileSystem::FindDirLocked(
    const std::vector<std::string>& parts, std::string_view call, const std::string& path) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  Node* dir = root_.get();
  for (const std::string& part : parts) {
    KDB_RETURN_IF_ERROR(LoadLocked(*dir));
    auto it = dir->names.find(part);
    if (it == dir->names.end()) return ErrnoStatus(ENOENT, call, path);
    if (!it->second->is_dir) return ErrnoStatus(ENOTDIR, call, path);
    dir = it->second.get();
  }
  KDB_RETURN_IF_ERROR(LoadLocked(*dir));
  return dir;
}

absl::StatusOr<CrashFileSystem::Place> CrashFileSystem::LocateLocked(std::vector<std::string> parts,
                                                                     std::string_view call,
                                                                     const std::string& path) {
  if (parts.empty()) return ErrnoStatus(EBUSY, call, path);  // the root itself
  std::string name = std::move(parts.back());
  parts.pop_back();
  KDB_ASSIGN_OR_RETURN(Node * dir, FindDirLocked(parts, call, path));
  auto it = dir->names.find(name);
  return Place{dir, std::move(name), it == dir->names.end() ? nullptr : it->second};
}

absl::StatusOr<CrashFileSystem::Place> CrashFileSystem::LocateFileLocked(
    const std::vector<std::string>& parts, std::string_view call, const std::string& path) {
  KDB_ASSIGN_OR_RETURN(Place place, LocateLocked(parts, call, path));
  if (place.node == nullptr) return ErrnoStatus(ENOENT, call, path);
  if (place.node->is_dir) return ErrnoStatus(EISDIR, call, path);
  return place;
}

absl::StatusOr<std::shared_ptr<HeldFile>> CrashFileSystem::FileOfLocked(Node& node) {
  if (node.file != nullptr) return node.file;
  std::string link = disk_->NewStagingPath();
  KDB_RETURN_IF_ERROR(disk_->base.HardLink(DiskPathLocked(node), link));
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk_->base.Open(link, OpenMode::kReadWrite));
  KDB_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  node.file = std::make_shared<HeldFile>(disk_, std::move(link), std::move(file), size);
  return node.file;
}

absl::StatusOr<std::shared_ptr<HeldFile>> CrashFileSystem::CreateLocked(const Place& place) {
  std::string path = disk_->NewStagingPath();
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk_->base.Open(path, OpenMode::kCreateNew));
  auto node = std::make_shared<Node>();
  node->file = std::make_shared<HeldFile>(disk_, std::move(path), std::move(file), 0);
  place.dir->names[place.name] = node;
  return node->file;
}

absl::StatusOr<std::unique_ptr<File>> CrashFileSystem::Open(const std::string& path,
                                                            OpenMode mode) {
  auto parts = Below(path);
  if (!parts) return disk_->base.Open(path, mode);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place place, LocateLocked(*parts, "open", path));
  bool may_create = mode == OpenMode::kCreateNew || mode == OpenMode::kCreateOrTruncate;
  if (place.node == nullptr && !may_create) return ErrnoStatus(ENOENT, "open", path);
  if (place.node == nullptr) {
    KDB_ASSIGN_OR_RETURN(std::shared_ptr<HeldFile> file, CreateLocked(place));
    return std::make_unique<CrashFile>(std::move(file));
  }
  if (mode == OpenMode::kCreateNew) return ErrnoStatus(EEXIST, "open", path);
  if (place.node->is_dir) return ErrnoStatus(EISDIR, "open", path);
  KDB_ASSIGN_OR_RETURN(std::shared_ptr<HeldFile> file, FileOfLocked(*place.node));
  if (mode == OpenMode::kCreateOrTruncate) KDB_RETURN_IF_ERROR(file->Truncate(0));
  return std::make_unique<CrashFile>(std::move(file));
}

absl::StatusOr<bool> CrashFileSystem::Exists(const std::string& path) {
  auto parts = Below(path);
  if (!parts) return disk_->base.Exists(path);
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  if (parts->empty()) return true;
  MutexLock lock(mu_);
  absl::StatusOr<Place> place = LocateLocked(*parts, "stat", path);
  return place.ok() && place->node != nullptr;
}

absl::StatusOr<std::vector<std::string>> CrashFileSystem::List(const std::string& dir) {
  auto parts = Below(dir);
  if (!parts) return disk_->base.List(dir);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Node * node, FindDirLocked(*parts, "opendir", dir));
  std::vector<std::string> names;
  for (const auto& [name, child] : node->names) names.push_back(name);
  return names;
}

absl::Status CrashFileSystem::CreateDir(const std::string& dir) {
  auto parts = Below(dir);
  if (!parts) return disk_->base.CreateDir(dir);
  if (parts->empty()) return disk_->CheckOn();
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place place, LocateLocked(*parts, "mkdir", dir));
  if (place.node != nullptr) {
    return place.node->is_dir ? absl::OkStatus() : ErrnoStatus(EEXIST, "mkdir", dir);
  }
  auto node = std::make_shared<Node>();
  node->is_dir = true;
  node->loaded = true;
  node->staged = disk_->NewStagingPath();
  KDB_RETURN_IF_ERROR(disk_->base.CreateDir(node->staged));
  place.dir->names[place.name] = std::move(node);
  return absl::OkStatus();
}

absl::Status CrashFileSystem::RenameLocked(const Place& from, const Place& to,
                                           const std::string& path) {
  if (from.node == nullptr) return ErrnoStatus(ENOENT, "rename", path);
  if (to.node == from.node) return absl::OkStatus();  // as POSIX: two names of one file stay
  if (to.node != nullptr && to.node->is_dir != from.node->is_dir) {
    return ErrnoStatus(to.node->is_dir ? EISDIR : ENOTDIR, "rename", path);
  }
  if (to.node != nullptr && to.node->is_dir) {
    KDB_RETURN_IF_ERROR(LoadLocked(*to.node));
    if (!to.node->names.empty()) return ErrnoStatus(ENOTEMPTY, "rename", path);
  }
  if (from.node->is_dir) {
    KDB_RETURN_IF_ERROR(LoadLocked(*from.node));
  } else {
    KDB_RETURN_IF_ERROR(FileOfLocked(*from.node).status());
  }
  from.dir->names.erase(from.name);
  to.dir->names[to.name] = from.node;
  return absl::OkStatus();
}

absl::Status CrashFileSystem::Rename(const std::string& from, const std::string& to) {
  auto from_parts = Below(from);
  auto to_parts = Below(to);
  if (!from_parts && !to_parts) return disk_->base.Rename(from, to);
  if (!from_parts || !to_parts) return CrossesRoot(from, to);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place source, LocateLocked(*from_parts, "rename", from));
  KDB_ASSIGN_OR_RETURN(Place target, LocateLocked(*to_parts, "rename", to));
  if (to_parts->size() > from_parts->size() &&
      std::equal(from_parts->begin(), from_parts->end(), to_parts->begin())) {
    return ErrnoStatus(EINVAL, "rename", to);  // into itself
  }
  return RenameLocked(source, target, from);
}

absl::Status CrashFileSystem::HardLink(const std::string& from, const std::string& to) {
  auto from_parts = Below(from);
  auto to_parts = Below(to);
  if (!from_parts && !to_parts) return disk_->base.HardLink(from, to);
  if (!from_parts || !to_parts) return CrossesRoot(from, to);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place source, LocateFileLocked(*from_parts, "link", from));
  KDB_ASSIGN_OR_RETURN(Place target, LocateLocked(*to_parts, "link", to));
  if (target.node != nullptr) return ErrnoStatus(EEXIST, "link", to);
  KDB_RETURN_IF_ERROR(FileOfLocked(*source.node).status());
  target.dir->names[target.name] = source.node;
  return absl::OkStatus();
}

absl::Status CrashFileSystem::Remove(const std::string& path) {
  auto parts = Below(path);
  if (!parts) return disk_->base.Remove(path);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place place, LocateFileLocked(*parts, "unlink", path));
  place.dir->names.erase(place.name);
  return absl::OkStatus();
}

absl::Status CrashFileSystem::RemoveDir(const std::string& dir) {
  auto parts = Below(dir);
  if (!parts) return disk_->base.RemoveDir(dir);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place place, LocateLocked(*parts, "rmdir", dir));
  if (place.node == nullptr) return ErrnoStatus(ENOENT, "rmdir", dir);
  if (!place.node->is_dir) return ErrnoStatus(ENOTDIR, "rmdir", dir);
  KDB_RETURN_IF_ERROR(LoadLocked(*place.node));
  if (!place.node->names.empty()) return ErrnoStatus(ENOTEMPTY, "rmdir", dir);
  place.dir->names.erase(place.name);
  return absl::OkStatus();
}

absl::Status CrashFileSystem::SyncDir(const std::string& dir) {
  auto parts = Below(dir);
  if (!parts) return disk_->base.SyncDir(dir);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Node * node, FindDirLocked(*parts, "fsync", dir));
  return SyncNamesLocked(*node);
}

absl::StatusOr<uint64_t> CrashFileSystem::FileSize(const std::string& path) {
  auto parts = Below(path);
  if (!parts) return disk_->base.FileSize(path);
  MutexLock lock(mu_);
  KDB_ASSIGN_OR_RETURN(Place place, LocateFileLocked(*parts, "stat", path));
  if (place.node->file != nullptr) return place.node->file->Size();
  return disk_->base.FileSize(DiskPathLocked(*place.node));
}

absl::StatusOr<std::unique_ptr<FileLock>> CrashFileSystem::Lock(const std::string& path) {
  struct HeldLock : FileLock {
    ~HeldLock() override {
      MutexLock lock(locks->mu);
      locks->held.erase(path);
    }
    std::shared_ptr<Locks> locks;  // shared with the file system, which may be gone
    std::string path;
    std::unique_ptr<FileLock> base;
  };
  std::string disk_path = path;
  if (auto parts = Below(path)) {
    MutexLock lock(mu_);
    KDB_ASSIGN_OR_RETURN(Place place, LocateLocked(*parts, "open", path));
    disk_path = JoinPath(DiskPathLocked(*place.dir), place.name);
  }
  MutexLock lock(locks_->mu);
  if (locks_->held.contains(path)) {
    return absl::FailedPreconditionError(fmt::format("{} is locked by this process", path));
  }
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<FileLock> base, disk_->base.Lock(disk_path));
  auto held = std::make_unique<HeldLock>();
  held->base = std::move(base);
  held->path = path;
  held->locks = locks_;
  locks_->held.insert(path);
  return held;
}

absl::StatusOr<FileSystem::Space> CrashFileSystem::DiskSpace(const std::string& path) {
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  KDB_ASSIGN_OR_RETURN(Space space, disk_->base.DiskSpace(Below(path) ? disk_->root : path));
  auto held = static_cast<uint64_t>(std::max<int64_t>(0, disk_->held_growth));
  space.available_bytes -= std::min(space.available_bytes, held);
  return space;
}

}  // namespace kdb

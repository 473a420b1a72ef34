// How the names and bytes that CrashFileSystem holds reach the disk: SyncDir and PowerOff.
#include <algorithm>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/env/crash_file_system.h"

namespace kdb {

absl::Status CrashFileSystem::SyncNamesLocked(Node& dir) {
  for (const auto& [name, node] : dir.names) {
    auto old = dir.on_disk.find(name);
    if (old == dir.on_disk.end() || old->second != node) {
      KDB_RETURN_IF_ERROR(PublishLocked(dir, name, node));
    }
  }
  std::vector<std::string> removed;
  for (const auto& [name, node] : dir.on_disk) {
    if (!dir.names.contains(name)) removed.push_back(name);
  }
  for (const std::string& name : removed) KDB_RETURN_IF_ERROR(UnpublishLocked(dir, name));
  return absl::OkStatus();
}

absl::Status CrashFileSystem::PublishLocked(Node& dir, const std::string& name,
                                            const std::shared_ptr<Node>& node) {
  std::string path = JoinPath(DiskPathLocked(dir), name);
  auto old = dir.on_disk.find(name);
  if (old != dir.on_disk.end() && (node->is_dir || old->second->is_dir)) {
    KDB_RETURN_IF_ERROR(UnpublishLocked(dir, name));
  }
  if (node->is_dir) {
    KDB_RETURN_IF_ERROR(disk_->base.Rename(DiskPathLocked(*node), path));
    if (node->parent != nullptr) node->parent->on_disk.erase(node->name);
    node->parent = &dir;
    node->name = name;
    dir.on_disk[name] = node;
    return absl::OkStatus();
  }
  // A rename within the directory stays one: a process that dies here must not leave both names.
  auto renamed = std::find_if(dir.on_disk.begin(), dir.on_disk.end(), [&](const auto& entry) {
    if (entry.second != node) return false;
    auto now = dir.names.find(entry.first);
    return now == dir.names.end() || now->second != node;
  });
  std::string source;
  if (renamed != dir.on_disk.end()) {
    source = JoinPath(DiskPathLocked(dir), renamed->first);
    dir.on_disk.erase(renamed);
  } else {
    source = disk_->NewStagingPath();
    KDB_RETURN_IF_ERROR(disk_->base.HardLink(node->file->path(), source));
  }
  dir.on_disk[name] = node;
  return disk_->base.Rename(source, path);
}

absl::Status CrashFileSystem::UnpublishLocked(Node& dir, const std::string& name) {
  auto it = dir.on_disk.find(name);
  std::shared_ptr<Node> node = std::move(it->second);
  dir.on_disk.erase(it);
  std::string path = JoinPath(DiskPathLocked(dir), name);
  return node->is_dir ? DiscardDirLocked(std::move(node), path) : disk_->base.Remove(path);
}

// A directory may have moved to a place that is not synced yet, and so may those inside it.
absl::Status CrashFileSystem::DiscardDirLocked(std::shared_ptr<Node> dir, const std::string& path) {
  dir->parent = nullptr;
  dir->staged = disk_->NewStagingPath();
  KDB_RETURN_IF_ERROR(disk_->base.Rename(path, dir->staged));
  bool in_use =
      dir.use_count() > 1 || std::any_of(dir->on_disk.begin(), dir->on_disk.end(),
                                         [](const auto& entry) { return entry.second->is_dir; });
  if (!in_use) return RemoveTree(disk_->base, dir->staged);
  removed_dirs_.push_back(std::move(dir));
  return absl::OkStatus();
}

absl::Status CrashFileSystem::LeakSomeLocked(Node& node, Random& random,
                                             std::set<const Node*>& seen) {
  if (!seen.insert(&node).second) return absl::OkStatus();
  if (!node.is_dir) return node.file ? node.file->FlushSome(random) : absl::OkStatus();
  for (const Names* names : {&node.names, &node.on_disk}) {
    for (const auto& [name, child] : *names) {
      KDB_RETURN_IF_ERROR(LeakSomeLocked(*child, random, seen));
    }
  }
  switch (random.Uniform(3)) {
    case 0:
      return absl::OkStatus();
    case 1:
      return SyncNamesLocked(node);
    default:
      return SyncSomeNamesLocked(node, random);
  }
}

// Each change of a name by itself, whatever came before it. A rename within a directory is one
// change: a journaling file system never loses the file between its names.
absl::Status CrashFileSystem::SyncSomeNamesLocked(Node& dir, Random& random) {
  const Names before = dir.on_disk;
  auto moves = [&](const std::shared_ptr<Node>& node) {
    return std::any_of(dir.names.begin(), dir.names.end(), [&](const auto& entry) {
      auto there = dir.on_disk.find(entry.first);
      return entry.second == node && (there == dir.on_disk.end() || there->second != node);
    });
  };
  for (const auto& [name, node] : dir.names) {
    auto old = before.find(name);
    const bool changed = old == before.end() || old->second != node;
    const bool in_the_way = old != before.end() && moves(old->second);
    if (changed && !in_the_way && random.OneIn(2)) {
      KDB_RETURN_IF_ERROR(PublishLocked(dir, name, node));
    }
  }
  for (const auto& [name, node] : before) {
    const bool removed = !dir.names.contains(name) && dir.on_disk.contains(name);
    if (removed && !moves(node) && random.OneIn(2)) KDB_RETURN_IF_ERROR(UnpublishLocked(dir, name));
  }
  return absl::OkStatus();
}

absl::Status CrashFileSystem::PowerOff(Random* random) {
  MutexLock lock(mu_);
  KDB_RETURN_IF_ERROR(disk_->CheckOn());
  std::set<const Node*> seen;
  absl::Status leaked =
      random == nullptr ? absl::OkStatus() : LeakSomeLocked(*root_, *random, seen);
  disk_->off = true;
  return leaked;
}

}  // namespace kdb

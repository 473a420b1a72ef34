// A file system on which the death of the process is a power failure: whatever was not synced is
// gone.
//
// Written bytes stay in memory until Sync or DataSync of their file, changes of names (create,
// rename, link, remove) until SyncDir of their directory; only then the file system below sees
// them. Reads see what was written. Stricter than real disks: nothing is written back early, a
// synced file without a synced name is lost, and a file renamed across directories is in neither if
// only the old one was synced.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "pkg/env/held_file.h"

namespace kdb {

struct CrashOptions {
  bool lose_syncs = false;  // Sync and DataSync do nothing: to prove that a test notices
};

// Thread-safe. Disk I/O happens under its mutex: it is for tests.
class CrashFileSystem : public FileSystem {
 public:
  // Holds what happens under `root` (which exists) and passes other paths through. `base` outlives
  // it and its files, and nobody else changes `root`. Links of a former life, in `root`/.unsynced,
  // are removed.
  static absl::StatusOr<std::unique_ptr<CrashFileSystem>> Create(FileSystem& base, std::string root,
                                                                 CrashOptions options);
  ~CrashFileSystem() override;

  // The end: what is held is dropped, and every later call on it or its files is ABORTED. With
  // `random`, a random part of it reaches the disk first, in any order: sectors of 512 bytes,
  // changes of names.
  absl::Status PowerOff(Random* random);

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

 private:
  struct Node;
  // Shared: a node may have several names, and a synced and an unsynced one.
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  // A file or directory. `parent` and `name` are its place on the disk: for a directory always, for
  // a file as long as `file` is null. No parent: it is at `staged`.
  struct Node {
    bool is_dir = false;
    Node* parent = nullptr;
    std::string name;
    std::string staged;
    std::shared_ptr<HeldFile> file;  // shared with the handles; null until first used
    bool loaded = false;
    Names names;    // as the process sees them
    Names on_disk;  // as the file system below has them
  };
  struct Place {
    Node* dir;
    std::string name;
    std::shared_ptr<Node> node;  // null: no such name
  };

  explicit CrashFileSystem(std::shared_ptr<HeldDisk> disk);

  // The parts of `path` below the root; nullopt when it is not below.
  std::optional<std::vector<std::string>> Below(const std::string& path) const;
  std::string DiskPathLocked(const Node& node) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadLocked(Node& dir) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Node*> FindDirLocked(const std::vector<std::string>& parts, std::string_view call,
                                      const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Place> LocateLocked(std::vector<std::string> parts, std::string_view call,
                                     const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // As Locate, and the name must be there and be a file.
  absl::StatusOr<Place> LocateFileLocked(const std::vector<std::string>& parts,
                                         std::string_view call, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<HeldFile>> FileOfLocked(Node& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::shared_ptr<HeldFile>> CreateLocked(const Place& place)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status RenameLocked(const Place& from, const Place& to, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status SyncNamesLocked(Node& dir) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status PublishLocked(Node& dir, const std::string& name, const std::shared_ptr<Node>& node)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status UnpublishLocked(Node& dir, const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status DiscardDirLocked(std::shared_ptr<Node> dir, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SyncSomeNamesLocked(Node& dir, Random& random) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LeakSomeLocked(Node& node, Random& random, std::set<const Node*>& seen)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<HeldDisk> disk_;  // shared with the files, which may outlive this object
  const std::vector<std::string> root_parts_;

  Mutex mu_;
  const std::shared_ptr<Node> root_ ABSL_GUARDED_BY(mu_);
  // Removed directories that others still refer to as the place of theirs on the disk.
  std::vector<std::shared_ptr<Node>> removed_dirs_ ABSL_GUARDED_BY(mu_);
  // Lock files in use; shared with the locks, which may outlive this object.
  struct Locks;
  const std::shared_ptr<Locks> locks_;
};

}  // namespace kdb

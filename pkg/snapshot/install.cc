#include "pkg/snapshot/install.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "pkg/base/status.h"
#include "pkg/snapshot/manifest.h"

namespace kdb::snapshot {
namespace {

// Whether the snapshot in `dir` is `manifest`'s.
absl::StatusOr<bool> Holds(FileSystem& fs, const std::string& dir, const Manifest& manifest) {
  KDB_ASSIGN_OR_RETURN(auto there, Read(fs, dir + "/" + kManifestName));
  return there.has_value() && there->id() == manifest.id();
}

// As raft::Raft::WantsSnapshot, of a log that nobody has open.
bool Wanted(const wal::Wal& log, const raftpb::SnapshotMeta& snapshot) {
  return snapshot.index() + 1 >= log.first_index() &&
         log.TermAt(snapshot.index()) != snapshot.term();
}

// The member's promises outlive its log.
raft::HardState After(raft::HardState before, const raftpb::SnapshotMeta& snapshot) {
  if (before.term < snapshot.term()) before = {.term = snapshot.term()};
  before.commit = snapshot.index();
  return before;
}

absl::Status Swap(FileSystem& fs, const Paths& paths) {
  KDB_ASSIGN_OR_RETURN(bool state, fs.Exists(paths.state));
  if (state) {
    KDB_RETURN_IF_ERROR(RemoveTree(fs, paths.replaced()));
    KDB_RETURN_IF_ERROR(fs.Rename(paths.state, paths.replaced()));
  }
  KDB_RETURN_IF_ERROR(fs.Rename(paths.incoming(), paths.state));
  return fs.SyncDir(paths.dir);
}

absl::Status ForgetIntent(FileSystem& fs, const Paths& paths) {
  KDB_RETURN_IF_ERROR(fs.Remove(paths.intent()));
  return fs.SyncDir(paths.dir);
}

}  // namespace

absl::StatusOr<Outcome> Install(FileSystem& fs, const Paths& paths, const wal::Options& wal) {
  KDB_ASSIGN_OR_RETURN(auto manifest, Read(fs, paths.intent()));
  if (!manifest) {
    KDB_RETURN_IF_ERROR(RemoveTree(fs, paths.replaced()));
    return Outcome::kNothing;
  }
  wal::Recovered recovered;
  KDB_ASSIGN_OR_RETURN(auto log, wal::Wal::Open(fs, paths.log, wal, &recovered));
  const raftpb::SnapshotMeta& meta = manifest->meta();
  KDB_ASSIGN_OR_RETURN(bool staged, Holds(fs, paths.incoming(), *manifest));
  if (staged) {
    if (!Wanted(*log, meta)) {
      KDB_RETURN_IF_ERROR(ForgetIntent(fs, paths));
      KDB_RETURN_IF_ERROR(RemoveTree(fs, paths.incoming()));
      return Outcome::kNotNeeded;
    }
    KDB_RETURN_IF_ERROR(Swap(fs, paths));
  }
  // Only the state of this very snapshot may lose the log before it.
  KDB_ASSIGN_OR_RETURN(bool swapped, Holds(fs, paths.state, *manifest));
  if (!swapped) {
    return absl::DataLossError(fmt::format(
        "{}: the snapshot {} that was to be installed is neither in {} nor in {}: somebody removed "
        "it. Replace this member: start a server on an empty data directory and add that as a new "
        "member",
        paths.intent(), manifest->id(), paths.incoming(), paths.state));
  }
  KDB_RETURN_IF_ERROR(log->Reset(meta.index(), meta.term(), After(recovered.hard_state, meta)));
  KDB_RETURN_IF_ERROR(ForgetIntent(fs, paths));
  KDB_RETURN_IF_ERROR(RemoveTree(fs, paths.replaced()));
  return Outcome::kInstalled;
}

}  // namespace kdb::snapshot

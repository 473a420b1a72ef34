#include "pkg/snapshot/staging.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::snapshot {
namespace {

// So often is a file under way synced: what piles up in memory would reach the disk all at once, and
// the syncs of the member's log would wait behind it.
constexpr uint64_t kSyncEvery = 256 << 10;

std::string PartOf(const std::string& path) { return path + ".part"; }

std::string ManifestOf(const Paths& paths) { return paths.incoming() + "/" + kManifestName; }

}  // namespace

Staging::Staging(FileSystem& fs, Paths paths, Manifest manifest)
    : fs_(fs),
      paths_(std::move(paths)),
      manifest_(std::move(manifest)),
      total_bytes_(TotalBytes(manifest_)) {}

absl::StatusOr<std::unique_ptr<Staging>> Staging::Open(FileSystem& fs, const Paths& paths,
                                                       const Manifest& manifest) {
  std::unique_ptr<Staging> staging(new Staging(fs, paths, manifest));
  KDB_ASSIGN_OR_RETURN(auto there, Begun(fs, paths));
  bool same = there && there->SerializeAsString() == manifest.SerializeAsString();
  if (!same) KDB_RETURN_IF_ERROR(staging->Begin());
  KDB_RETURN_IF_ERROR(staging->SkipWhole());
  return staging;
}

absl::StatusOr<std::optional<Manifest>> Staging::Begun(FileSystem& fs, const Paths& paths) {
  absl::StatusOr<std::optional<Manifest>> there = Read(fs, ManifestOf(paths));
  if (absl::IsDataLoss(there.status())) return std::nullopt;  // it is fetched anew
  return there;
}

absl::Status Staging::Begin() {
  KDB_RETURN_IF_ERROR(RemoveTree(fs_, paths_.incoming()));
  KDB_RETURN_IF_ERROR(CreateDirs(fs_, paths_.incoming()));
  return Write(fs_, ManifestOf(paths_), manifest_);
}

std::string Staging::PathOf(int file) const {
  return paths_.incoming() + "/" + manifest_.files(file).name();
}

std::optional<Staging::Position> Staging::next() const {
  if (next_.file == manifest_.files_size()) return std::nullopt;
  return next_;
}

// A file has its own name once it was synced whole. Empty ones are made here, for no bytes of them
// will come.
absl::Status Staging::SkipWhole() {
  for (; next_.file < manifest_.files_size(); ++next_.file) {
    const std::string path = PathOf(next_.file);
    const uint64_t bytes = manifest_.files(next_.file).bytes();
    KDB_ASSIGN_OR_RETURN(bool whole, fs_.Exists(path));
    if (!whole && bytes > 0) return absl::OkStatus();
    if (!whole) {
      KDB_ASSIGN_OR_RETURN(auto file, fs_.Open(path, OpenMode::kCreateNew));
      KDB_RETURN_IF_ERROR(file->Sync());
    }
    staged_bytes_ += bytes;
  }
  return absl::OkStatus();
}

absl::Status Staging::Append(std::string_view bytes) {
  KDB_CHECK(next().has_value());
  const raftpb::SnapshotFile& target = manifest_.files(next_.file);
  if (bytes.size() > target.bytes() - next_.offset) {
    return absl::InvalidArgumentError(fmt::format("{} bytes at {} of {}, which has {}",
                                                  bytes.size(), next_.offset, target.name(),
                                                  target.bytes()));
  }
  if (file_ == nullptr) {
    KDB_ASSIGN_OR_RETURN(file_, fs_.Open(PartOf(PathOf(next_.file)), OpenMode::kCreateOrTruncate));
  }
  KDB_RETURN_IF_ERROR(file_->WriteAt(next_.offset, bytes));
  next_.offset += bytes.size();
  staged_bytes_ += bytes.size();
  if (next_.offset == target.bytes()) return FinishFile();
  unsynced_bytes_ += bytes.size();
  if (unsynced_bytes_ < kSyncEvery) return absl::OkStatus();
  unsynced_bytes_ = 0;
  return file_->DataSync();
}

absl::Status Staging::FinishFile() {
  unsynced_bytes_ = 0;
  KDB_RETURN_IF_ERROR(file_->Sync());
  KDB_RETURN_IF_ERROR(std::exchange(file_, nullptr)->Close());
  const std::string path = PathOf(next_.file);
  KDB_RETURN_IF_ERROR(fs_.Rename(PartOf(path), path));
  KDB_RETURN_IF_ERROR(fs_.SyncDir(paths_.incoming()));
  next_ = {.file = next_.file + 1, .offset = 0};
  return SkipWhole();
}

absl::Status Staging::Commit() {
  KDB_CHECK(!next().has_value());
  KDB_RETURN_IF_ERROR(fs_.SyncDir(paths_.incoming()));
  return Write(fs_, paths_.intent(), manifest_);
}

absl::Status DropIncoming(FileSystem& fs, const Paths& paths) {
  return RemoveTree(fs, paths.incoming());
}

}  // namespace kdb::snapshot

// A snapshot on its way in: its files are written into the member's directory of incoming files,
// one after the other, and stay there over interruptions and restarts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/snapshot/manifest.h"
#include "pkg/snapshot/paths.h"

namespace kdb::snapshot {

// Of one thread. RESOURCE_EXHAUSTED: the disk is full, and what is there stays; other errors are
// the disk's.
class Staging {
 public:
  // Goes on behind the whole files that are there if they are of `manifest` (Check is OK); else
  // begins anew. No snapshot is being installed.
  static absl::StatusOr<std::unique_ptr<Staging>> Open(FileSystem& fs, const Paths& paths,
                                                       const Manifest& manifest);

  // The manifest of what is there in part; nullopt: nothing, or nothing of use.
  static absl::StatusOr<std::optional<Manifest>> Begun(FileSystem& fs, const Paths& paths);

  const Manifest& manifest() const { return manifest_; }
  // The bytes wanted next; nullopt: all are here.
  struct Position {
    int file = 0;  // of the manifest's files
    uint64_t offset = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };
  std::optional<Position> next() const;
  // Appends at next(). INVALID_ARGUMENT: beyond the file's end.
  absl::Status Append(std::string_view bytes);
  // Of all files, written or not.
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t staged_bytes() const { return staged_bytes_; }

  // All bytes are here: records durably that this snapshot is to be installed (install.h).
  absl::Status Commit();

 private:
  Staging(FileSystem& fs, Paths paths, Manifest manifest);

  absl::Status Begin();
  absl::Status SkipWhole();
  absl::Status FinishFile();
  std::string PathOf(int file) const;

  FileSystem& fs_;
  const Paths paths_;
  const Manifest manifest_;
  const uint64_t total_bytes_;
  uint64_t staged_bytes_ = 0;
  uint64_t unsynced_bytes_ = 0;  // of the file under way
  Position next_;
  std::unique_ptr<File> file_;  // next_'s, if any of it is written
};

// Forgets what was fetched and not committed.
absl::Status DropIncoming(FileSystem& fs, const Paths& paths);

}  // namespace kdb::snapshot

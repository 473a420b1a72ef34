// The fetching side of a snapshot's transfer, without a connection: what to ask, and what to do
// with the answers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/snapshot/staging.h"

namespace kdb::snapshot {

struct ReceiverOptions {
  Paths paths;
  std::string cluster_id;
  uint64_t gid = 0;
  uint32_t part_bytes = 256 << 10;
  int window = 8;  // parts asked for and not answered
  // Whether the files in `dir`, which are all there, are the state that the manifest says. An error
  // throws them away.
  std::function<absl::Status(const std::string& dir, const Manifest& manifest)> verify;
};

// Of one thread; blocks for disk I/O.
class Receiver {
 public:
  using Requests = std::vector<raftpb::SnapshotRequest>;

  // `fs` outlives it.
  Receiver(FileSystem& fs, ReceiverOptions options) : fs_(fs), options_(std::move(options)) {}

  // A connection is open (again): what to ask first. `min_index`: the least that is of use.
  absl::StatusOr<Requests> Open(uint64_t min_index);
  // What to ask next; nothing once done. An error ends the connection, and Open follows on another:
  // INVALID_ARGUMENT (not what was asked for), RESOURCE_EXHAUSTED (the disk is full), the disk's,
  // or that of `verify`.
  absl::StatusOr<Requests> OnReply(const raftpb::SnapshotReply& reply);
  // What was fetched and not recorded is not wanted any more.
  absl::Status Drop();
  // Recorded to be installed.
  bool done() const { return done_; }

  struct Progress {
    uint64_t staged_bytes = 0;
    uint64_t total_bytes = 0;
  };
  Progress progress() const;

 private:
  absl::StatusOr<std::string> BegunId() const;  // empty: none
  absl::StatusOr<Requests> Begin(const Manifest& manifest);
  absl::StatusOr<Requests> Take(const raftpb::SnapshotData& data);
  absl::StatusOr<Requests> AskOrCommit();
  absl::Status Commit();

  FileSystem& fs_;
  const ReceiverOptions options_;
  uint64_t min_index_ = 0;
  bool opened_ = false;  // and no manifest came yet
  std::unique_ptr<Staging> staging_;
  Staging::Position asked_;  // the first byte that was not asked for
  int waiting_ = 0;          // for so many parts
  bool done_ = false;
};

}  // namespace kdb::snapshot

// What the copies of a member's engine are copies of.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/storage/engine.h"
#include "proto/raft.pb.h"

namespace kdb::snapshot {

// Copies `engine` into the new directory `dir`, and says which entry the copy ends with.
absl::StatusOr<raftpb::SnapshotMeta> CopyEngine(storage::Engine& engine, const std::string& dir);

// Whether the copy in `dir`, which came from elsewhere, is whole and ends with that entry. Reads
// all of it. DATA_LOSS: it is not. `engine`: any of its kind.
absl::Status VerifyCopy(const storage::Engine& engine, const std::string& dir,
                        const raftpb::SnapshotMeta& meta);

}  // namespace kdb::snapshot

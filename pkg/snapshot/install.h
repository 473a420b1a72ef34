// Puts a fetched snapshot in the place of a member's state and log (design 3). FORMAT.md has the
// crash states.
#pragma once

#include "absl/status/statusor.h"
#include "pkg/env/file_system.h"
#include "pkg/snapshot/paths.h"
#include "pkg/wal/wal.h"

namespace kdb::snapshot {

enum class Outcome {
  kNothing,    // no snapshot was to be installed
  kInstalled,  // state and log are the snapshot's
  kNotNeeded,  // the log had the snapshot's last entry: what is behind it may have been
               // acknowledged
};

// Installs what Staging::Commit recorded. To be called while neither the state nor the log is open,
// before both are opened: it finishes what a crash interrupted. `wal` are the options with which
// the log is opened. Blocks. DATA_LOSS: the directory is damaged, the message says what to do;
// nothing was lost by the call.
absl::StatusOr<Outcome> Install(FileSystem& fs, const Paths& paths, const wal::Options& wal);

}  // namespace kdb::snapshot

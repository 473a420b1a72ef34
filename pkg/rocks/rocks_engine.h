// The storage engine over RocksDB: one column family, RocksDB's own log off (the raft log is ours).
#pragma once

#include <memory>
#include <string>

#include "pkg/env/file_system.h"
#include "pkg/storage/engine.h"

namespace kdb::rocks {

struct Options {
  uint64_t block_cache_bytes = 128 << 20;
  uint64_t memtable_bytes = 64 << 20;
  int background_jobs = 2;
};

// What the engine adds to the contract of storage::Engine:
// - Destroying it does not flush: the owner flushes at a clean shutdown.
// - Write starts a flush by itself when 200 range deletions wait for one.
// - What is read from files, by readers and by compactions, is checked: damage is DATA_LOSS, and
//   IsDamage. A read that met it says so, and after a compaction did every Write and Flush.
// - After a full disk (RESOURCE_EXHAUSTED) nothing is lost; every later Write or Flush looks for
// room and goes on when
//   there is enough for all that waits in memory. After DATA_LOSS every Write fails until the
//   process starts again.
//
// Opens or creates the database in `dir` through `fs`, which outlives the engine. DATA_LOSS on
// corruption, with RocksDB's message and what to do.
absl::StatusOr<std::unique_ptr<storage::Engine>> OpenRocksEngine(FileSystem& fs,
                                                                 const std::string& dir,
                                                                 const Options& options);

}  // namespace kdb::rocks

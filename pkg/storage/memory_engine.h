// An engine in memory for tests and simulation: Crash loses what was not flushed, as a power
// failure does.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "pkg/storage/engine.h"

namespace kdb::storage {

class MemoryEngine : public Engine {
 public:
  // Keeps a random prefix of the unflushed Writes, at least those flushed. No snapshot or iterator
  // may be alive.
  virtual void Crash(Random& random) = 0;
};

// Empty; its copies are files of `files`, which outlives it.
std::unique_ptr<MemoryEngine> NewMemoryEngine(FileSystem* files = nullptr);
// Begins with the copy in `dir` if there is one there: of a snapshot that was installed. DATA_LOSS:
// it is damaged.
absl::StatusOr<std::unique_ptr<MemoryEngine>> OpenMemoryEngine(FileSystem& files,
                                                               const std::string& dir);

}  // namespace kdb::storage

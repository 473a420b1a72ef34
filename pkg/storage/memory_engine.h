// An engine in memory for tests and simulation: Crash loses what was not flushed, as a power
// failure does.
#pragma once

#include <memory>

#include "pkg/base/random.h"
#include "pkg/storage/engine.h"

namespace kdb::storage {

class MemoryEngine : public Engine {
 public:
  // Keeps a random prefix of the unflushed Writes, at least those flushed. No snapshot or iterator
  // may be alive.
  virtual void Crash(Random& random) = 0;
};

std::unique_ptr<MemoryEngine> NewMemoryEngine();

}  // namespace kdb::storage

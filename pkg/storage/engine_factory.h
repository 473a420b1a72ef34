// How the engine of a data directory's sub-directory is opened: RocksDB in servers, memory in
// tests. Injected, so that only the composition root knows RocksDB.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "pkg/storage/engine.h"

namespace kdb::storage {

using EngineFactory =
    std::function<absl::StatusOr<std::unique_ptr<Engine>>(const std::string& dir)>;

}  // namespace kdb::storage

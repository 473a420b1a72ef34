// Structured logs by spdlog: a line of text or of JSON per event, to stderr. The level changes at
// run time.
#pragma once

#include <spdlog/logger.h>

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kdb::obs {

enum class LogFormat { kText, kJson };

// Shared: spdlog's interface.
using Logger = std::shared_ptr<spdlog::logger>;

// `process` (kdb-kv, ...) and `instance` are part of every line. Thread-safe.
Logger NewLogger(std::string_view process, std::string_view instance, LogFormat format);
// Drops everything: for tests.
Logger NullLogger();
// A line "level: message" each: for tests. `out` outlives it.
Logger StreamLogger(std::ostream& out);
// trace, debug, info, warn, error. INVALID_ARGUMENT names the others.
absl::Status SetLogLevel(spdlog::logger& logger, std::string_view level);

}  // namespace kdb::obs

// What the servers' main functions share: log settings, the wait for a signal, exit codes.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "pkg/config/settings.h"
#include "pkg/obs/log.h"
#include "pkg/rpc/server.h"

namespace kdb::process {

inline constexpr char kVersion[] = "0.1.0";

struct LogSettings {
  std::string level = "info";
  std::string format = "text";
  std::string instance;
};

void AddLogSettings(config::Settings& settings, LogSettings* log);
obs::Logger NewLogger(const std::string& program, const LogSettings& log);

// listen, max-connections and preface-timeout: a server's port of gRPC and frames.
void AddPortSettings(config::Settings& settings, rpc::ServerOptions* port);

// Descriptors that a server needs beside its clients': RocksDB's tables (1,000), the log's
// segments, connections to others.
inline constexpr uint64_t kStorageDescriptors = 2'048;
inline constexpr uint64_t kProxyDescriptors = 512;

// Raises the limit of open descriptors as far as it may be raised, and lowers *connections, the
// value of a setting, to what leaves room for `reserved`, or half; says so.
void FitToDescriptors(spdlog::logger& logger, uint64_t reserved, const std::string& setting,
                      uint64_t* connections);

// Blocks SIGINT and SIGTERM in this thread and those it starts, and ignores SIGPIPE: call it first.
void BlockSignals();
// Waits for SIGINT or SIGTERM. A second one during the shutdown that follows ends the process at
// once.
void WaitForSignal(spdlog::logger& logger);

// Ends the process at once with exit code 1 and `status`: for a disk that must not be used any
// more.
[[noreturn]] void Die(spdlog::logger& logger, const absl::Status& status);

// Prints "program: message" to stderr. Exit codes: 2 for settings (INVALID_ARGUMENT), else 1.
int Fail(const std::string& program, const absl::Status& status);

}  // namespace kdb::process

// Warnings whose cause lasts, or comes from strangers: the same is not logged again for a while.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

#include "pkg/base/mutex.h"
#include "pkg/obs/log.h"

namespace kdb::obs {

// Thread-safe.
class LimitedLog {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kAgainAfter{10};
  // Different lines within that time; more are dropped.
  static constexpr size_t kMaxLines = 64;

  explicit LimitedLog(Logger logger) : logger_(std::move(logger)) {}

  void Warn(const std::string& line, Time now);

 private:
  const Logger logger_;
  Mutex mu_;
  std::map<std::string, Time> logged_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::obs

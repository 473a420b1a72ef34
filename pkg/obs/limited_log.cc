#include "pkg/obs/limited_log.h"

namespace kdb::obs {

void LimitedLog::Warn(const std::string& line, Time now) {
  {
    MutexLock lock(mu_);
    std::erase_if(logged_, [now](const auto& l) { return now - l.second >= kAgainAfter; });
    if (logged_.size() >= kMaxLines || !logged_.emplace(line, now).second) return;
  }
  logger_->warn("{}", line);
}

}  // namespace kdb::obs

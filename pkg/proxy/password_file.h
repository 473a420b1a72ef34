// The passwords that clients may give: every line of a file, so that two are valid while one
// replaces the other.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/obs/log.h"

namespace kdb::proxy {

// Thread-safe.
class Passwords {
 public:
  // `path` empty: no password is needed.
  Passwords(std::string path, obs::Logger logger);

  // Reads the file if it changed since. On an error the passwords stay as they are; before the
  // first success nobody gets in.
  absl::Status Reload();
  // Reload, from time to time: logs an error when it appears and when it is gone.
  void Check();
  bool required() const { return !path_.empty(); }
  bool Accepts(std::string_view password) const;

 private:
  const std::string path_;
  const obs::Logger logger_;

  mutable Mutex mu_;
  std::vector<std::string> valid_ ABSL_GUARDED_BY(mu_);
  std::string content_ ABSL_GUARDED_BY(mu_);
  std::string logged_error_ ABSL_GUARDED_BY(mu_);  // that lasts
};

}  // namespace kdb::proxy

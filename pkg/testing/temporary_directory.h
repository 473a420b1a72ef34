// A directory of a test's own, for tests run side by side.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "pkg/base/check.h"

namespace kdb::testing {

// Made under the system's temporary directory; removed, with all that is in it, at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = std::filesystem::temp_directory_path() / "kdb-test-XXXXXX";
    KDB_CHECK(mkdtemp(path.data()) != nullptr, "mkdtemp {}: {}", path,
              std::system_category().message(errno));
    path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    KDB_CHECK(!error, "cannot remove {}: {}", path_, error.message());
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kdb::testing

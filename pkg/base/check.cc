#include "pkg/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kdb {

void CheckFailed(const char* file, int line, const char* expression, std::string_view message) {
  fmt::print(stderr, "{}:{}: check failed: {}{}{}\n", file, line, expression,
             message.empty() ? "" : ": ", message);
  std::fflush(stderr);
  std::abort();
}

}  // namespace kdb

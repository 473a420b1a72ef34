// errno as the absl::Status that file_system.h promises.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kdb {

// `call` and `path` go into the message, with the system's text for `error`.
absl::Status ErrnoStatus(int error, std::string_view call, std::string_view path);

}  // namespace kdb

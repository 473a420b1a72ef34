// Checks of settings that are addresses. INVALID_ARGUMENT says what is wrong with which.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace kdb::config {

// host:port to listen on. No host: all of this machine's; port 0: any that is free.
absl::Status IsListenAddress(const std::string& text);
// The same, or empty.
absl::Status IsListenAddressOrNone(const std::string& text);
// host:port of somebody else.
absl::Status IsPeerAddress(const std::string& text);

}  // namespace kdb::config

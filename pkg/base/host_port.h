// "host:port" addresses; an IPv6 host is in brackets.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kdb {

struct HostPort {
  std::string host;  // without brackets; empty: any
  std::string port;  // 0 to 65535
};

// INVALID_ARGUMENT: not host:port.
absl::StatusOr<HostPort> ParseAddress(std::string_view address);

}  // namespace kdb

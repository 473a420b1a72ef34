#include "pkg/config/addresses.h"

#include <fmt/format.h>

#include "pkg/base/host_port.h"
#include "pkg/base/status.h"

namespace kdb::config {

absl::Status IsListenAddress(const std::string& text) { return ParseAddress(text).status(); }

absl::Status IsListenAddressOrNone(const std::string& text) {
  return text.empty() ? absl::OkStatus() : IsListenAddress(text);
}

absl::Status IsPeerAddress(const std::string& text) {
  KDB_ASSIGN_OR_RETURN(HostPort address, ParseAddress(text));
  if (address.host.empty()) {
    return absl::InvalidArgumentError(fmt::format("'{}' names no host", text));
  }
  if (std::stoi(address.port) == 0) {
    return absl::InvalidArgumentError(fmt::format("'{}' names no port", text));
  }
  return absl::OkStatus();
}

}  // namespace kdb::config

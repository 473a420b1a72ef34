#include "pkg/base/host_port.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace kdb {

absl::StatusOr<HostPort> ParseAddress(std::string_view address) {
  const absl::Status bad =
      absl::InvalidArgumentError(fmt::format("'{}' is not host:port", address));
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = address.substr(0, colon), port = address.substr(colon + 1);
  uint16_t number = 0;
  const char* end = port.data() + port.size();
  auto parsed = std::from_chars(port.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return bad;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":,[] ") != std::string_view::npos) {
    return bad;
  }
  return HostPort{std::string(host), std::string(port)};
}

}  // namespace kdb

#include "pkg/net/address.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "pkg/base/status.h"

namespace kdb::net {
namespace {

using asio::ip::tcp;

constexpr int kBacklog = 1024;

absl::Status CannotListen(const std::string& address, const asio::error_code& error) {
  return absl::UnavailableError(fmt::format("cannot listen on {}: {}", address, error.message()));
}

}  // namespace

absl::StatusOr<HostPort> ParseAddress(std::string_view address) {
  size_t colon = address.rfind(':');
  uint16_t port = 0;
  bool numeric = colon != std::string_view::npos;
  if (numeric) {
    const char* end = address.data() + address.size();
    auto parsed = std::from_chars(address.data() + colon + 1, end, port);
    numeric = parsed.ec == std::errc() && parsed.ptr == end;
  }
  if (!numeric) {
    return absl::InvalidArgumentError(fmt::format("{} is not host:port", address));
  }
  std::string_view host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return HostPort{std::string(host), std::string(address.substr(colon + 1))};
}

std::string FormatAddress(const tcp::endpoint& endpoint) {
  std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

absl::StatusOr<tcp::acceptor> Bind(asio::io_context& io, const std::string& address) {
  KDB_ASSIGN_OR_RETURN(HostPort where, ParseAddress(address));
  asio::error_code error;
  tcp::resolver resolver(io);
  auto found = resolver.resolve(where.host, where.port, tcp::resolver::passive, error);
  if (error || found.empty()) return CannotListen(address, error);
  tcp::endpoint endpoint = found.begin()->endpoint();
  tcp::acceptor acceptor(io);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (error) return CannotListen(address, error);
  return acceptor;
}

}  // namespace kdb::net

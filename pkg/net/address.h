// "host:port" addresses; an IPv6 host is in brackets.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kdb::net {

struct HostPort {
  std::string host;  // without brackets; empty: any
  std::string port;
};

// INVALID_ARGUMENT: not host:port.
absl::StatusOr<HostPort> ParseAddress(std::string_view address);
// ParseAddress reads it back.
std::string FormatAddress(const asio::ip::tcp::endpoint& endpoint);

// A listening socket. UNAVAILABLE names the address and the reason.
absl::StatusOr<asio::ip::tcp::acceptor> Bind(asio::io_context& io, const std::string& address);

}  // namespace kdb::net

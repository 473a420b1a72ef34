// Addresses (pkg/base/host_port.h) and sockets.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace kdb::net {

// ParseAddress reads it back.
std::string FormatAddress(const asio::ip::tcp::endpoint& endpoint);

// What was written and the peer has not acknowledged, the end of the stream included; 0: unknown.
int UnacknowledgedBytes(asio::ip::tcp::socket& socket);

// A listening socket. UNAVAILABLE names the address and the reason.
absl::StatusOr<asio::ip::tcp::acceptor> Bind(asio::io_context& io, const std::string& address);

}  // namespace kdb::net

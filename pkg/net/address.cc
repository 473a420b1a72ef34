#include "pkg/net/address.h"

#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <utility>

#include "pkg/base/host_port.h"
#include "pkg/base/status.h"

namespace kdb::net {
namespace {

using asio::ip::tcp;

constexpr int kBacklog = 1024;

absl::Status CannotListen(const std::string& address, const asio::error_code& error) {
  return absl::UnavailableError(fmt::format("cannot listen on {}: {}", address, error.message()));
}

}  // namespace

std::string FormatAddress(const tcp::endpoint& endpoint) {
  std::string host = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", host, endpoint.port())
                                    : fmt::format("{}:{}", host, endpoint.port());
}

int UnacknowledgedBytes(tcp::socket& socket) {
  int bytes = 0;
  return ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
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

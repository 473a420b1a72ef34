// Listens on one address and hands connections to the I/O threads in turn.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "pkg/proxy/io_thread.h"

namespace kdb::proxy {

// Accepts on the first thread's loop. Must be destroyed when that loop does not run.
class Acceptor {
 public:
  // A connection made on the loop of thread number `thread`.
  using Adopt = absl::AnyInvocable<void(size_t thread, asio::ip::tcp::socket socket)>;

  // `adopt` is called on the first thread. `refusal`, a constant, is what a client over the limit
  // is told.
  Acceptor(std::vector<IoThread*> threads, IoShared& shared, std::string_view refusal, Adopt adopt);

  // UNAVAILABLE names the address and the reason; INVALID_ARGUMENT: it is not host:port.
  absl::Status Listen(const std::string& address);
  int port() const { return port_; }
  void Start();
  // From any thread: accepts no more.
  void Stop();

 private:
  void Accept();
  void OnAccepted(size_t thread, const asio::error_code& error, asio::ip::tcp::socket socket);

  const std::vector<IoThread*> threads_;
  IoShared& shared_;
  const std::string_view refusal_;
  Adopt adopt_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  size_t next_thread_ = 0;
  int port_ = 0;
};

}  // namespace kdb::proxy

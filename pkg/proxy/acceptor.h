// Listens on one address and hands connections to the I/O threads in turn.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/proxy/io_thread.h"

namespace kdb::proxy {

// Accepts on the first thread's loop. Must be destroyed when that loop does not run.
class Acceptor {
 public:
  Acceptor(std::vector<IoThread*> threads, IoShared& shared, std::atomic<uint64_t>& next_client_id);

  // UNAVAILABLE names the address and the reason; INVALID_ARGUMENT: it is not host:port.
  absl::Status Listen(const std::string& address);
  int port() const { return port_; }
  void Start();
  // From any thread: accepts no more.
  void Stop();

 private:
  void Accept();
  void OnAccepted(IoThread& thread, const asio::error_code& error, asio::ip::tcp::socket socket);

  const std::vector<IoThread*> threads_;
  IoShared& shared_;
  std::atomic<uint64_t>& next_client_id_;  // of all acceptors
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  size_t next_thread_ = 0;
  int port_ = 0;
};

}  // namespace kdb::proxy

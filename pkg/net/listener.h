// Accepts connections of the frame protocol and hands all others, with what was read of them, to
// whom they may concern.
#pragma once

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/net/connection.h"
#include "pkg/net/loop.h"

namespace kdb::net {

class Listener {
 public:
  // All are called on the loop. The handler may keep the connection: closing ends both.
  using Accept = std::function<std::unique_ptr<Handler>(std::shared_ptr<Connection> connection)>;
  // Takes over a descriptor (non-blocking), of which `read` was read.
  using HandOver = std::function<void(int fd, std::string_view read)>;
  struct Options {
    std::string address;  // host:port; port 0: any
    std::map<Service, Accept> services;
    HandOver others;                                    // none: they are closed
    std::chrono::milliseconds opening_timeout{10'000};  // for the preface; again for the hello
  };

  // UNAVAILABLE names the address and the reason. `loop` outlives the listener.
  static absl::StatusOr<std::unique_ptr<Listener>> Start(Loop& loop, Options options);
  // Closes what was accepted and destroys its handlers. Not from the loop.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }

 private:
  class Opening;

  Listener(Loop& loop, Options options, asio::ip::tcp::acceptor acceptor);

  void AcceptNext();
  void HandOut(asio::ip::tcp::socket socket, std::string_view preface);
  void Forget(const Opening* opening);

  Loop& loop_;
  const Options options_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  int port_ = 0;
  // On the loop. Openings are shared with their asynchronous operations.
  std::vector<std::shared_ptr<Opening>> openings_;
  std::vector<std::weak_ptr<Connection>> connections_;
};

}  // namespace kdb::net

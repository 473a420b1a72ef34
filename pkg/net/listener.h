// Accepts connections of the frame protocol and hands all others, with what was read of them, to
// whom they may concern. There are never more than so many: strangers must not take the descriptors
// that files need.
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
#include "pkg/net/handed_over.h"
#include "pkg/net/loop.h"

namespace kdb::net {

class Listener {
 public:
  // All are called on the loop. The handler may keep the connection: closing ends both.
  using Accept = std::function<std::unique_ptr<Handler>(std::shared_ptr<Connection> connection)>;
  // Takes over a descriptor (non-blocking), of which `read` was read.
  using HandOver = std::function<void(int fd, std::string_view read)>;
  enum class Event {
    kAccepted,
    kTooMany,       // max_connections are open: closed at once
    kDisplaced,     // closed for a newer one before it said what it is
    kSilent,        // closed: it did not say in time what it is
    kNoDescriptor,  // not accepted: the process has no descriptor left
  };
  struct Options {
    std::string address;  // host:port; port 0: any
    std::map<Service, Accept> services;
    HandOver others;                                    // none: they are closed
    std::chrono::milliseconds opening_timeout{10'000};  // for the preface; again for the hello
    // Of all kinds. At the limit a new connection takes the place of the one that has been silent
    // for longest; when none is, the new one is closed.
    size_t max_connections = 10'000;
    std::function<void(Event)> on_event = [](Event) {};  // on the loop
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
  void OnAccepted(asio::ip::tcp::socket socket);
  size_t Count() const { return openings_.size() + connections_.size() + handed_over_.size(); }
  bool MakeRoom();
  void ForgetEnded();
  void HandOut(asio::ip::tcp::socket socket, std::string_view preface);
  void Forget(const Opening* opening);

  Loop& loop_;
  const Options options_;
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::steady_timer look_again_;
  int port_ = 0;
  // On the loop. Openings, oldest first, are shared with their asynchronous operations.
  std::vector<std::shared_ptr<Opening>> openings_;
  std::vector<std::weak_ptr<Connection>> connections_;
  HandedOver handed_over_;
  size_t look_at_;       // so many connections: see which have ended
  bool looked_ = false;  // just now
};

}  // namespace kdb::net

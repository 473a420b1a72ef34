// Serves unary gRPC calls on one event loop: its connections, their deadlines, and one write per
// connection and turn of the loop.
#pragma once

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"
#include "pkg/http2/deadlines.h"
#include "pkg/http2/service.h"
#include "pkg/http2/session.h"

namespace kdb::http2 {

enum class CloseReason : uint8_t {
  kClient,      // it went away
  kProtocol,    // it does not speak HTTP/2 as it should
  kTimeout,     // it leaves its preface or a request unfinished, or its answers untaken
  kSlowReader,  // it has too many answers that it does not take
  kDrain,
};

// What a server tells of its connections, on its loop's thread.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnOpen() = 0;
  virtual void OnClose(CloseReason reason, const std::string& peer) = 0;
  virtual void OnReceived(size_t bytes) = 0;
  virtual void OnSent(size_t bytes) = 0;
  // Bytes that clients have not taken, as a change.
  virtual void OnHeld(int64_t change) = 0;
  // One connection's; false: it is cut off.
  virtual bool MayHold(size_t bytes) = 0;
};

class Connection;

// Everything on the loop's thread, or while the loop does not run.
class Server {
 public:
  // All outlive the server.
  Server(asio::io_context& io, SessionOptions options, Service& service, const Clock& clock,
         Observer& observer);
  // Connections are closed first (CloseAll), and the loop has run what that left.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void Adopt(asio::ip::tcp::socket socket);
  // Asks clients to go elsewhere, answers the calls that they make until they know, closes; `done`
  // is called when nothing is left.
  void Drain(absl::AnyInvocable<void()> done);
  // At once, and whatever is adopted later.
  void CloseAll(CloseReason reason);
  size_t connections() const { return connections_.size(); }

 private:
  friend class Connection;

  void MarkDirty(Connection& connection);
  void TurnDirty();
  void Remove(Connection& connection, CloseReason reason);
  // Sees to it that calls end at their deadlines.
  void WatchDeadlines();
  void CheckDrained();

  asio::io_context& io_;
  const SessionOptions options_;
  Service& service_;
  const Clock& clock_;
  Observer& observer_;
  Deadlines deadlines_;
  asio::steady_timer timer_;
  Clock::Duration timer_at_ = Clock::Duration::max();
  std::vector<char> scratch_;

  // Shared with the asynchronous operations of each.
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> dirty_;
  bool turn_posted_ = false;
  bool draining_ = false;
  bool closed_ = false;
  absl::AnyInvocable<void()> drained_;
};

}  // namespace kdb::http2

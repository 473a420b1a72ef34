// One connection of the frame protocol (README.md).
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/net/frame.h"
#include "pkg/net/frame_reader.h"

namespace kdb::net {

// What a connection tells its user, on its loop. It may use the connection meanwhile.
class Handler {
 public:
  virtual ~Handler() = default;
  // `body` is valid during the call. An error is sent to the peer and ends the connection.
  virtual absl::Status OnFrame(std::string_view body) = 0;
  // The last call, once, never from within a call of the user's: the peer's reason, or what broke.
  virtual void OnClosed(const absl::Status& why) = 0;
};

// Thread-safe. Lives until it is closed and nobody holds it.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  // Connects in the background, within a few seconds, resolving the name anew; what is sent
  // meanwhile waits. `io` is run by one thread and outlives the connection.
  static std::shared_ptr<Connection> Dial(asio::io_context& io, const std::string& address,
                                          Service service, std::unique_ptr<Handler> handler);
  // An accepted socket behind its preface; Start follows, both on the loop. The first frame is a
  // hello: of at most kMaxHelloBytes, there in time.
  static std::shared_ptr<Connection> Adopt(asio::ip::tcp::socket socket);
  void Start(std::unique_ptr<Handler> handler, std::chrono::milliseconds hello_timeout);

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Frames arrive in the order of Send, or the connection breaks. Writes on the calling thread what
  // the socket takes at once. Dropped once closed.
  void Send(std::string frame);
  // What Send has not got rid of.
  size_t queued_bytes() const;
  // Sends `why` behind what is queued, then closes; after some seconds in any case.
  void Fail(const absl::Status& why);
  // Drops what is queued.
  void Close();

  // For logs; "host:port".
  const std::string& peer() const { return peer_; }

 private:
  enum class State { kDialing, kOpen, kFailing, kClosed };
  explicit Connection(asio::ip::tcp::socket socket);

  // Any thread.
  void FlushLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ssize_t WriteSomeLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ConsumeLocked(size_t sent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PostClose(absl::Status why);

  // On the loop.
  void Resolve(const std::string& address);
  void Connect(const std::vector<asio::ip::tcp::endpoint>& endpoints);
  void Open();
  void Read();
  void OnRead(size_t n);
  absl::Status HandleFrames();
  void WaitWritable();
  void OnWritable();
  void LingerOut();
  void CloseAfter(std::chrono::milliseconds limit);
  void CloseNow(const absl::Status& why);

  std::string peer_;
  // The loop's.
  asio::steady_timer timer_;  // dialling, the hello, lingering
  std::unique_ptr<Handler> handler_;
  FrameReader input_;
  bool greeted_ = true;   // the first frame was welcome
  absl::Status failure_;  // why this side or the peer gave up

  // Held while the socket takes what it can at once: that is what keeps the order.
  mutable Mutex mu_;
  asio::ip::tcp::socket socket_;  // asynchronous operations: on the loop; closed: under mu_
  std::atomic<State> state_ = State::kDialing;  // changes under mu_
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mu_);
  size_t front_sent_ ABSL_GUARDED_BY(mu_) = 0;  // of queue_'s first frame
  size_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool waits_writable_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kdb::net

// One client's connection: reads requests, runs them in order, writes replies in order. All of it
// on its I/O thread.
#pragma once

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pkg/proxy/connection_metrics.h"
#include "pkg/proxy/local_command.h"
#include "pkg/proxy/output_buffer.h"
#include "pkg/proxy/reply_queue.h"
#include "pkg/resp/request_parser.h"
#include "pkg/routing/client_order.h"

namespace kdb::proxy {

class IoThread;

struct ConnectionLimits {
  resp::RequestLimits request;
  size_t max_pending = 1024;            // commands without a reply; more are not read
  size_t max_output_bytes = 256 << 20;  // unread replies; the client is cut off
  // Of all clients of a process; beyond, those that have more than a fair part are cut off.
  size_t max_output_total_bytes = 1 << 30;
};

// Shared by its asynchronous operations. An idle one holds no buffer.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, IoThread& thread, ClientInfo info);

  void Start();
  // Writes what it can, goes on reading if it may: once per turn of the loop in which anything
  // changed.
  void Turn();
  // Runs no more; closes when what was read is answered and the client has the replies.
  void Drain();
  void Close(CloseReason reason);
  const ClientInfo& info();

 private:
  class Call;

  void WaitReadable();
  void OnReadable();
  // False when the connection is closed.
  bool ReadSome(std::string_view* data);
  void TakeInput(std::string_view data);
  size_t RunRequests(std::string_view data);
  bool MayRun();
  void Run(const resp::Args& args);
  void RunLocal(const redis::Command& command, const resp::Args& args);
  void RunRouted(const redis::Command& command, const resp::Args& args);
  void Refuse(const redis::Command* command, std::string_view error);
  void FailProtocol(const std::string& error);
  void EndUnanswered();
  uint64_t OpenReply(const redis::Command* command);
  void NextReplyMode();
  void Complete(uint64_t number, std::string reply);
  // Of replies: those that wait for older ones, too.
  size_t untaken_bytes() const { return output_.bytes() + replies_.held_bytes(); }
  void Write();
  bool Finished() const;
  void Linger();
  void LingerOn();

  asio::ip::tcp::socket socket_;
  IoThread& thread_;
  ClientInfo info_;
  routing::ClientOrder order_;
  resp::RequestParser parser_;
  std::string input_;  // of a request that is not whole, or may not run yet
  size_t kept_ = 0;    // input_.size() as the metrics know it
  ReplyQueue replies_;
  OutputBuffer output_;
  Clock::Duration read_at_{};

  bool reading_ = false;  // waits for the socket
  bool writing_ = false;
  bool dirty_ = false;    // Turn is due
  bool blocked_ = false;  // the router will wake it
  bool ended_ = false;    // runs no more: end of file, QUIT, a protocol error, drain
  bool eof_ = false;
  bool lingering_ = false;  // all is answered, and this side closed
  bool closed_ = false;
  Clock::Duration linger_until_{};
  CloseReason end_reason_ = CloseReason::kClient;

  friend class IoThread;
};

}  // namespace kdb::proxy

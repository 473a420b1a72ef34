// A session on a socket.
#pragma once

#include <asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "pkg/http2/server.h"
#include "pkg/http2/session.h"

namespace kdb::http2 {

// Shared by its asynchronous operations. Holds no buffer while nothing is to be written.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::ip::tcp::socket socket, Server& server);

  void Start();
  // Writes what it can, goes on reading if it may: once per turn of the loop in which anything
  // changed.
  void Turn();
  void Drain();
  void Close(CloseReason reason);

 private:
  friend class Server;

  CloseReason EndReason() const;
  // The session has ended: waits for the client to close. Closed with anything unread, the socket
  // would be reset, and the client might lose its last answers.
  void Linger();
  // Closes after a while, though there be something unsent.
  void CloseSoon();
  void OnLingered();
  void WaitReadable();
  void OnReadable();
  // False: nothing came, or the connection is closed.
  bool ReadSome(size_t* bytes);
  void Write();
  // False: the socket takes no more for now, or is closed.
  bool WriteOutput();
  void WaitWritable();
  size_t held() const { return session_.unsent() + output_.size() - written_; }
  void ReportHeld(size_t held);

  asio::ip::tcp::socket socket_;
  Server& server_;
  const std::string peer_;
  Session session_;
  std::string output_;
  size_t written_ = 0;   // of output_
  size_t reported_ = 0;  // held(), as the observer knows it

  bool reading_ = false;  // waits for the socket
  bool writing_ = false;
  bool dirty_ = false;  // Turn is due
  bool draining_ = false;
  bool lingering_ = false;
  int lingers_ = 0;  // that were not enough
  Alarm linger_;
  bool closed_ = false;
};

}  // namespace kdb::http2

#include "pkg/http2/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <asio/buffer.hpp>
#include <utility>

#include "pkg/net/address.h"

namespace kdb::http2 {
namespace {

constexpr size_t kWriteBytes = 64 << 10;   // taken from the session for one write
constexpr size_t kKeptCapacity = 4 << 10;  // of an output buffer that is empty
// Of a client that sends what must be answered (pings, resets, refused calls) and does not read.
constexpr size_t kMaxQueuedFrames = 10000;
// For a client that takes its last answers slowly.
constexpr int kMaxLingers = 30;

// A peer that vanished is noticed after some minutes, within one when there is something to send.
// Best effort.
void Configure(asio::ip::tcp::socket& socket) {
  auto set = [fd = socket.native_handle()](int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 120);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 20);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
  asio::error_code ignored;
  socket.non_blocking(true, ignored);
}

std::string PeerOf(const asio::ip::tcp::socket& socket) {
  asio::error_code ignored;
  return net::FormatAddress(socket.remote_endpoint(ignored));
}

bool WouldBlock(const asio::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Server& server)
    : socket_(std::move(socket)),
      server_(server),
      peer_(PeerOf(socket_)),
      session_(server.options_, server.service_, server.deadlines_, server.clock_,
               [this] { server_.MarkDirty(*this); }),
      linger_(server.deadlines_, [this] { OnLingered(); }) {}

void Connection::Start() {
  Configure(socket_);
  server_.MarkDirty(*this);  // our settings go first
  WaitReadable();
}

void Connection::Drain() {
  draining_ = true;
  session_.Shutdown();
  server_.MarkDirty(*this);
}

void Connection::Close(CloseReason reason) {
  if (std::exchange(closed_, true)) return;
  ReportHeld(0);
  linger_.Cancel();
  asio::error_code ignored;
  socket_.close(ignored);
  server_.Remove(*this, reason);
}

CloseReason Connection::EndReason() const {
  if (session_.failure() == Failure::kProtocol) return CloseReason::kProtocol;
  if (session_.failure() == Failure::kTimeout) return CloseReason::kTimeout;
  return draining_ ? CloseReason::kDrain : CloseReason::kClient;
}

void Connection::Linger() {
  if (std::exchange(lingering_, true)) return;
  asio::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  CloseSoon();
  WaitReadable();
}

void Connection::CloseSoon() {
  if (linger_.set()) return;
  linger_.Set(server_.clock_.Monotonic() + server_.options_.times.linger);
  server_.WatchDeadlines();
}

void Connection::OnLingered() {
  bool taking = lingering_ && net::UnacknowledgedBytes(socket_) > 0 && ++lingers_ < kMaxLingers;
  taking ? CloseSoon() : Close(EndReason());
}

// --- Reading.

void Connection::WaitReadable() {
  if (reading_ || closed_ || session_.queued_frames() >= kMaxQueuedFrames) return;
  reading_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const asio::error_code& error) {
                       self->reading_ = false;
                       if (!error && !self->closed_) self->OnReadable();
                     });
}

void Connection::OnReadable() {
  size_t bytes = 0;
  if (!ReadSome(&bytes)) return;
  if (lingering_) return WaitReadable();
  if (!session_.Receive({server_.scratch_.data(), bytes})) return Close(CloseReason::kProtocol);
  if (session_.wants_send() || session_.ended()) server_.MarkDirty(*this);
  server_.WatchDeadlines();
  WaitReadable();
}

bool Connection::ReadSome(size_t* bytes) {
  asio::error_code error;
  *bytes = socket_.read_some(asio::buffer(server_.scratch_), error);
  server_.observer_.OnReceived(*bytes);
  if (!error) return true;
  if (WouldBlock(error)) {
    WaitReadable();
  } else {
    Close(EndReason());
  }
  return false;
}

// --- Writing.

void Connection::Turn() {
  if (closed_ || lingering_) return;
  if (!writing_) Write();
  if (closed_) return;
  ReportHeld(held());
  if (reported_ > 0 && !server_.observer_.MayHold(reported_)) {
    return Close(CloseReason::kSlowReader);
  }
  if (session_.ended() && output_.empty()) return Linger();
  if (session_.failure() != Failure::kNone) CloseSoon();
  WaitReadable();
}

void Connection::Write() {
  while (true) {
    if (output_.empty() && !session_.Send(kWriteBytes, &output_)) {
      return Close(CloseReason::kProtocol);
    }
    if (output_.empty() || !WriteOutput()) return;
  }
}

bool Connection::WriteOutput() {
  asio::error_code error;
  size_t n =
      socket_.write_some(asio::buffer(output_.data() + written_, output_.size() - written_), error);
  if (WouldBlock(error)) {
    WaitWritable();
    return false;
  }
  if (error) {
    Close(CloseReason::kClient);
    return false;
  }
  server_.observer_.OnSent(n);
  written_ += n;
  if (written_ < output_.size()) return true;
  written_ = 0;
  output_.clear();
  if (output_.capacity() > kKeptCapacity) output_.shrink_to_fit();
  return true;
}

void Connection::WaitWritable() {
  writing_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const asio::error_code& error) {
                       self->writing_ = false;
                       if (!error) self->Turn();
                     });
}

void Connection::ReportHeld(size_t held) {
  size_t before = std::exchange(reported_, held);
  if (held == before) return;
  server_.observer_.OnHeld(static_cast<int64_t>(held) - static_cast<int64_t>(before));
}

}  // namespace kdb::http2

// How a connection ends. A close with input unread makes the kernel send a reset, and throw away
// replies that it has not delivered yet (RFC 2525, 2.17): those of commands that were executed.
#include "pkg/net/address.h"
#include "pkg/proxy/connection.h"
#include "pkg/proxy/io_thread.h"

namespace kdb::proxy {
namespace {

constexpr std::chrono::milliseconds kLingerStep{10};
constexpr std::chrono::seconds kMaxLinger{10};  // a drain has a limit of its own

}  // namespace

void Connection::Close(CloseReason reason) {
  if (closed_) return;
  closed_ = true;
  thread_.stats().NoteInput(-static_cast<int64_t>(kept_));
  thread_.stats().NoteOutput(-static_cast<int64_t>(untaken_bytes()));
  thread_.router().Forget(order_);
  asio::error_code ignored;
  socket_.close(ignored);
  thread_.Remove(*this, reason);
}

void Connection::Drain() {
  ended_ = true;
  end_reason_ = CloseReason::kDrain;
  thread_.MarkDirty(*this);
}

void Connection::Linger() {
  if (eof_) return Close(end_reason_);
  lingering_ = true;
  linger_until_ = thread_.clock().Monotonic() + kMaxLinger;
  asio::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  LingerOn();
}

// Until the client closes, or has all replies and sends nothing more.
void Connection::LingerOn() {
  if (closed_) return;
  asio::error_code error;
  bool quiet = socket_.read_some(thread_.scratch(), error) == 0;
  bool open = !error || error == asio::error::would_block || error == asio::error::try_again;
  bool done = quiet && net::UnacknowledgedBytes(socket_) == 0;
  bool late = end_reason_ != CloseReason::kDrain && thread_.clock().Monotonic() >= linger_until_;
  if (!open || done || late) return Close(end_reason_);
  auto again = [self = shared_from_this()] { self->LingerOn(); };
  quiet ? thread_.executor().PostAfter(kLingerStep, again) : thread_.executor().Post(again);
}

}  // namespace kdb::proxy

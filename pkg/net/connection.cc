#include "pkg/net/connection.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <asio/connect.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "pkg/base/host_port.h"
#include "pkg/base/status.h"
#include "pkg/net/address.h"

namespace kdb::net {
namespace {

using asio::ip::tcp;
using std::chrono::seconds;

constexpr auto kDialTimeout = seconds(2);
constexpr auto kLinger = seconds(1);  // for the peer to read why
constexpr int kDeadPeerSeconds = 10;
constexpr size_t kMaxGather = 64;

// Bounds on how long a dead or unreachable peer goes unnoticed; none of them can fail on a socket
// that is open.
void SetOptions(tcp::socket& socket) {
  asio::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  auto set = [fd = socket.native_handle()](int name, int value) {
    ::setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value));
  };
  set(TCP_USER_TIMEOUT, kDeadPeerSeconds * 1000);
  set(TCP_KEEPIDLE, kDeadPeerSeconds / 2);
  set(TCP_KEEPINTVL, 1);
  set(TCP_KEEPCNT, kDeadPeerSeconds / 2);
}

// An address that needs no resolver; those share one thread.
std::optional<tcp::endpoint> ParseLiteral(const HostPort& where) {
  asio::error_code error;
  asio::ip::address address = asio::ip::make_address(where.host, error);
  uint16_t port = 0;
  const char* end = where.port.data() + where.port.size();
  auto parsed = std::from_chars(where.port.data(), end, port);
  if (error || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return tcp::endpoint(address, port);
}

absl::Status Broken(std::string_view what, const std::string& peer, std::string_view why) {
  return absl::UnavailableError(fmt::format("{} {}: {}", what, peer, why));
}

}  // namespace

Connection::Connection(tcp::socket socket)
    : timer_(socket.get_executor()), socket_(std::move(socket)) {}

Connection::~Connection() = default;

std::shared_ptr<Connection> Connection::Dial(asio::io_context& io, const std::string& address,
                                             Service service, std::unique_ptr<Handler> handler) {
  std::shared_ptr<Connection> connection(new Connection(tcp::socket(io)));
  connection->peer_ = address;
  connection->handler_ = std::move(handler);
  auto preface = Preface::Encode(service);
  {
    MutexLock lock(connection->mu_);
    connection->queue_.emplace_back(preface.data(), preface.size());
    connection->queued_bytes_ = preface.size();
  }
  asio::post(io, [connection, address] { connection->Resolve(address); });
  return connection;
}

std::shared_ptr<Connection> Connection::Adopt(tcp::socket socket) {
  std::shared_ptr<Connection> connection(new Connection(std::move(socket)));
  asio::error_code error;
  tcp::endpoint peer = connection->socket_.remote_endpoint(error);
  connection->peer_ = error ? "?" : FormatAddress(peer);
  return connection;
}

void Connection::Start(std::unique_ptr<Handler> handler, std::chrono::milliseconds hello_timeout) {
  handler_ = std::move(handler);
  greeted_ = false;
  timer_.expires_after(hello_timeout);
  timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
    if (!stopped && !self->greeted_) self->Fail(absl::DeadlineExceededError("no hello came"));
  });
  Open();
}

// --- Sending, on any thread.

void Connection::Send(std::string frame) {
  MutexLock lock(mu_);
  if (state_ == State::kClosed || state_ == State::kFailing) return;
  queued_bytes_ += frame.size();
  queue_.push_back(std::move(frame));
  if (state_ == State::kOpen && !waits_writable_) FlushLocked();
}

size_t Connection::queued_bytes() const {
  MutexLock lock(mu_);
  return queued_bytes_;
}

void Connection::Fail(const absl::Status& why) {
  MutexLock lock(mu_);
  if (state_ == State::kClosed || state_ == State::kFailing) return;
  if (state_ == State::kDialing) return PostClose(why);
  queue_.push_back(ToErrorFrame(why));
  queued_bytes_ += queue_.back().size();
  state_ = State::kFailing;
  if (!waits_writable_) FlushLocked();
  asio::post(socket_.get_executor(), [self = shared_from_this(), why] {
    self->failure_ = why;
    self->LingerOut();
  });
}

void Connection::Close() { PostClose(absl::CancelledError("closed")); }

void Connection::PostClose(absl::Status why) {
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), why = std::move(why)] { self->CloseNow(why); });
}

void Connection::FlushLocked() {
  while (!queue_.empty()) {
    ssize_t n = WriteSomeLocked();
    if (n >= 0) {
      ConsumeLocked(static_cast<size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      asio::error_code error(errno, asio::error::get_system_category());
      return PostClose(Broken("sending to", peer_, error.message()));
    }
    waits_writable_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->WaitWritable(); });
    return;
  }
}

ssize_t Connection::WriteSomeLocked() {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the pieces that are sent are set below
  std::array<iovec, kMaxGather> pieces;
  size_t count = std::min(queue_.size(), pieces.size());
  for (size_t i = 0; i < count; ++i) {
    size_t skip = i == 0 ? front_sent_ : 0;
    pieces[i] = {queue_[i].data() + skip, queue_[i].size() - skip};
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Connection::ConsumeLocked(size_t sent) {
  queued_bytes_ -= sent;
  while (sent > 0) {
    size_t left = queue_.front().size() - front_sent_;
    if (sent < left) {
      front_sent_ += sent;
      return;
    }
    sent -= left;
    front_sent_ = 0;
    queue_.pop_front();
  }
}

void Connection::WaitWritable() {
  if (state_ == State::kClosed) return;
  socket_.async_wait(tcp::socket::wait_write,
                     [self = shared_from_this()](const asio::error_code& error) {
                       if (!error) self->OnWritable();  // else it was closed meanwhile
                     });
}

void Connection::OnWritable() {
  {
    MutexLock lock(mu_);
    if (state_ == State::kClosed) return;
    waits_writable_ = false;
    FlushLocked();
  }
  if (state_ == State::kFailing) LingerOut();
}

// --- Opening.

void Connection::Resolve(const std::string& address) {
  if (state_ == State::kClosed) return;
  absl::StatusOr<HostPort> where = ParseAddress(address);
  if (!where.ok()) return CloseNow(where.status());
  timer_.expires_after(kDialTimeout);
  timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
    if (!stopped && self->state_ == State::kDialing) {
      self->CloseNow(Broken("connecting to", self->peer_, "timed out"));
    }
  });
  if (std::optional<tcp::endpoint> literal = ParseLiteral(*where)) return Connect({*literal});
  auto resolver = std::make_shared<tcp::resolver>(socket_.get_executor());
  resolver->async_resolve(
      where->host, where->port,
      [self = shared_from_this(), resolver](const asio::error_code& error,
                                            const tcp::resolver::results_type& found) {
        if (error) return self->CloseNow(Broken("resolving", self->peer_, error.message()));
        std::vector<tcp::endpoint> endpoints;
        for (const auto& entry : found) endpoints.push_back(entry.endpoint());
        self->Connect(endpoints);
      });
}

void Connection::Connect(const std::vector<tcp::endpoint>& endpoints) {
  if (state_ == State::kClosed) return;
  auto candidates = std::make_shared<std::vector<tcp::endpoint>>(endpoints);
  asio::async_connect(
      socket_, *candidates,
      [self = shared_from_this(), candidates](const asio::error_code& error, const tcp::endpoint&) {
        if (self->state_ == State::kClosed) return;
        if (error) {
          return self->CloseNow(Broken("connecting to", self->peer_, error.message()));
        }
        self->timer_.cancel();
        self->Open();
      });
}

void Connection::Open() {
  SetOptions(socket_);
  {
    MutexLock lock(mu_);
    if (state_ != State::kDialing) return;
    state_ = State::kOpen;
    FlushLocked();
  }
  Read();
}

// --- Receiving.

void Connection::Read() {
  std::span<char> space = input_.Space();
  socket_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](const asio::error_code& error, size_t n) {
        if (self->state_ == State::kClosed) return;
        if (!error) return self->OnRead(n);
        self->CloseNow(self->failure_.ok() ? Broken("connection with", self->peer_, error.message())
                                           : self->failure_);
      });
}

void Connection::OnRead(size_t n) {
  if (state_ == State::kFailing) return Read();  // discards, until the peer has read why
  input_.Add(n);
  if (absl::Status status = HandleFrames(); !status.ok()) {
    if (!failure_.ok()) return CloseNow(failure_);  // the peer's own words: no answer
    Fail(status);
  }
  Read();
}

absl::Status Connection::HandleFrames() {
  while (state_ == State::kOpen) {
    KDB_ASSIGN_OR_RETURN(auto frame, input_.Next(greeted_ ? kMaxFrameBytes : kMaxHelloBytes));
    if (!frame.has_value()) break;
    if (frame->error) return failure_ = DecodeError(frame->body);
    KDB_RETURN_IF_ERROR(handler_->OnFrame(frame->body));
    if (!std::exchange(greeted_, true)) timer_.cancel();
  }
  return absl::OkStatus();
}

// --- Closing.

// A socket that is closed with input unread resets, and the peer may not see why.
void Connection::LingerOut() {
  if (state_ == State::kClosed) return;
  if (queued_bytes() > 0) return CloseAfter(seconds(kDeadPeerSeconds));
  asio::error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  CloseAfter(kLinger);
}

void Connection::CloseAfter(std::chrono::milliseconds limit) {
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
    if (!stopped) self->CloseNow(self->failure_);
  });
}

void Connection::CloseNow(const absl::Status& why) {
  asio::error_code ignored;
  {
    MutexLock lock(mu_);
    if (state_ == State::kClosed) return;
    state_ = State::kClosed;
    queue_.clear();
    queued_bytes_ = 0;
    socket_.close(ignored);
  }
  timer_.cancel();
  asio::post(socket_.get_executor(), [handler = std::move(handler_), why] {
    if (handler != nullptr) handler->OnClosed(why);
  });
}

}  // namespace kdb::net

#include "pkg/http2/server.h"

#include <asio/post.hpp>
#include <utility>

#include "pkg/http2/connection.h"

namespace kdb::http2 {
namespace {

constexpr size_t kScratchBytes = 64 << 10;

}  // namespace

Server::Server(asio::io_context& io, SessionOptions options, Service& service, const Clock& clock,
               Observer& observer)
    : io_(io),
      options_(std::move(options)),
      service_(service),
      clock_(clock),
      observer_(observer),
      timer_(io),
      scratch_(kScratchBytes) {}

Server::~Server() = default;

void Server::Adopt(asio::ip::tcp::socket socket) {
  if (closed_) return;
  observer_.OnOpen();
  auto connection = std::make_shared<Connection>(std::move(socket), *this);
  connections_.insert(connection);
  connection->Start();
  if (draining_) connection->Drain();
}

void Server::Drain(absl::AnyInvocable<void()> done) {
  draining_ = true;
  drained_ = std::move(done);
  for (const std::shared_ptr<Connection>& connection : connections_) connection->Drain();
  CheckDrained();
}

void Server::CloseAll(CloseReason reason) {
  closed_ = true;
  timer_.cancel();
  while (!connections_.empty()) (*connections_.begin())->Close(reason);
}

void Server::Remove(Connection& connection, CloseReason reason) {
  observer_.OnClose(reason, connection.peer_);
  // The caller is a member function of the connection, or of a call of its: it goes a little later.
  MarkDirty(connection);
  connections_.erase(connection.shared_from_this());
}

void Server::MarkDirty(Connection& connection) {
  if (!std::exchange(connection.dirty_, true)) dirty_.push_back(connection.shared_from_this());
  if (std::exchange(turn_posted_, true)) return;
  asio::post(io_, [this] { TurnDirty(); });
}

void Server::TurnDirty() {
  turn_posted_ = false;
  std::vector<std::shared_ptr<Connection>> dirty;
  dirty.swap(dirty_);
  for (const std::shared_ptr<Connection>& connection : dirty) {
    connection->dirty_ = false;
    connection->Turn();
  }
  WatchDeadlines();
  CheckDrained();
}

void Server::CheckDrained() {
  if (draining_ && connections_.empty() && drained_ != nullptr) std::exchange(drained_, nullptr)();
}

void Server::WatchDeadlines() {
  std::optional<Clock::Duration> earliest = deadlines_.earliest();
  if (closed_ || !earliest.has_value() || *earliest >= timer_at_) return;
  timer_at_ = *earliest;
  timer_.expires_after(*earliest - clock_.Monotonic());
  timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    timer_at_ = Clock::Duration::max();
    deadlines_.Expire(clock_.Monotonic());
    WatchDeadlines();
  });
}

}  // namespace kdb::http2

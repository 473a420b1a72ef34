#include "pkg/proxy/acceptor.h"

#include <asio/post.hpp>
#include <asio/write.hpp>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/net/address.h"

namespace kdb::proxy {
namespace {

// When there are no descriptors left, trying at once would only burn a core.
constexpr auto kErrorPause = std::chrono::milliseconds(100);

}  // namespace

Acceptor::Acceptor(std::vector<IoThread*> threads, IoShared& shared, std::string_view refusal,
                   Adopt adopt)
    : threads_(std::move(threads)),
      shared_(shared),
      refusal_(refusal),
      adopt_(std::move(adopt)),
      acceptor_(threads_.front()->io()),
      pause_(threads_.front()->io()) {}

absl::Status Acceptor::Listen(const std::string& address) {
  KDB_ASSIGN_OR_RETURN(acceptor_, net::Bind(threads_.front()->io(), address));
  asio::error_code ignored;
  port_ = acceptor_.local_endpoint(ignored).port();
  return absl::OkStatus();
}

void Acceptor::Start() {
  asio::post(acceptor_.get_executor(), [this] { Accept(); });
}

void Acceptor::Stop() {
  asio::post(acceptor_.get_executor(), [this] {
    asio::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  });
}

void Acceptor::Accept() {
  if (!acceptor_.is_open()) return;
  size_t thread = next_thread_++ % threads_.size();
  acceptor_.async_accept(threads_[thread]->io(), [this, thread](const asio::error_code& error,
                                                                asio::ip::tcp::socket socket) {
    OnAccepted(thread, error, std::move(socket));
  });
}

void Acceptor::OnAccepted(size_t thread, const asio::error_code& error,
                          asio::ip::tcp::socket socket) {
  if (error == asio::error::operation_aborted) return;
  if (error) {
    shared_.logger->warn("accept: {}", error.message());
    pause_.expires_after(kErrorPause);
    return pause_.async_wait([this](const asio::error_code& stopped) {
      if (!stopped) Accept();
    });
  }
  shared_.info.connections_received.fetch_add(1);
  shared_.metrics.accepted.Increment();
  if (shared_.info.connected.load() >= shared_.info.max_clients) {
    shared_.info.connections_rejected.fetch_add(1);
    shared_.metrics.rejected.Increment();
    asio::error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(refusal_), ignored);
  } else {
    adopt_(thread, std::move(socket));
  }
  Accept();
}

}  // namespace kdb::proxy

#include "pkg/proxy/kv_server.h"

#include <asio/post.hpp>
#include <utility>

#include "pkg/http2/server.h"
#include "pkg/proxy/kv_service.h"

namespace kdb::proxy {
namespace {

// Of a request beside its key and value: tags, lengths, the other fields.
constexpr size_t kRequestSlack = 1 << 10;
// What each connection may keep unread when all clients together have too much.
constexpr size_t kFairOutput = 1 << 20;

http2::SessionOptions OptionsOf(size_t max_value_bytes) {
  http2::SessionOptions options;
  options.max_message_bytes = max_value_bytes + kMaxKeyBytes + kRequestSlack;
  options.metadata = {kPasswordMetadata};
  return options;
}

CloseReason ReasonOf(http2::CloseReason reason) {
  switch (reason) {
    case http2::CloseReason::kProtocol:
      return CloseReason::kProtocolError;
    case http2::CloseReason::kTimeout:
      return CloseReason::kTimeout;
    case http2::CloseReason::kSlowReader:
      return CloseReason::kSlowReader;
    case http2::CloseReason::kDrain:
      return CloseReason::kDrain;
    case http2::CloseReason::kClient:
      break;
  }
  return CloseReason::kClient;
}

}  // namespace

class KvServer::Share final : private http2::Observer {
 public:
  Share(IoThread& thread, IoShared& shared, size_t max_value_bytes, size_t max_output_bytes)
      : thread_(thread),
        shared_(shared),
        max_output_bytes_(max_output_bytes),
        service_(thread, max_value_bytes),
        server_(thread.io(), OptionsOf(max_value_bytes), service_, thread.clock(), *this) {
    thread_.Hold();
  }

  void Adopt(asio::ip::tcp::socket socket) {
    asio::post(thread_.io(),
               [this, socket = std::move(socket)]() mutable { server_.Adopt(std::move(socket)); });
  }
  void Drain() {
    asio::post(thread_.io(), [this] { server_.Drain([this] { thread_.Release(); }); });
  }
  void Stop() {
    asio::post(thread_.io(), [this] { server_.CloseAll(http2::CloseReason::kDrain); });
  }

 private:
  void OnOpen() override {
    shared_.info.connected.fetch_add(1);
    shared_.metrics.connections.Increment();
  }
  void OnClose(http2::CloseReason reason, const std::string& peer) override {
    shared_.info.connected.fetch_sub(1);
    shared_.metrics.connections.Decrement();
    shared_.metrics.closed[static_cast<size_t>(ReasonOf(reason))]->Increment();
    if (reason == http2::CloseReason::kSlowReader) {
      shared_.logger->warn("KV API client {} was cut off: it does not read its answers", peer);
    }
  }
  void OnReceived(size_t bytes) override { thread_.stats().NoteReceived(bytes); }
  void OnSent(size_t bytes) override { thread_.stats().NoteSent(bytes); }
  void OnHeld(int64_t change) override { thread_.stats().NoteOutput(change); }
  bool MayHold(size_t bytes) override {
    return bytes <= max_output_bytes_ && (bytes <= kFairOutput || !thread_.output_over_total());
  }

  IoThread& thread_;
  IoShared& shared_;
  const size_t max_output_bytes_;
  KvService service_;
  http2::Server server_;
};

KvServer::KvServer(const std::vector<IoThread*>& threads, IoShared& shared, size_t max_value_bytes,
                   size_t max_output_bytes)
    // Without a preface of HTTP/2 nothing can be said to whom there is no room for.
    : acceptor_(threads, shared, "", [this](size_t thread, asio::ip::tcp::socket socket) {
        shares_[thread]->Adopt(std::move(socket));
      }) {
  for (IoThread* thread : threads) {
    shares_.push_back(std::make_unique<Share>(*thread, shared, max_value_bytes, max_output_bytes));
  }
}

KvServer::~KvServer() = default;

void KvServer::Drain() {
  acceptor_.Stop();
  for (const auto& share : shares_) share->Drain();
}

void KvServer::Stop() {
  acceptor_.Stop();
  for (const auto& share : shares_) share->Stop();
}

}  // namespace kdb::proxy

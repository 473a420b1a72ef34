#include "pkg/net/listener.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/net/address.h"

namespace kdb::net {
namespace {

using asio::ip::tcp;

// Connections that have not said what they are: who is slowest goes first.
constexpr size_t kMaxOpenings = 1024;
// When there are no descriptors left, trying at once would only burn a core.
constexpr auto kErrorPause = std::chrono::milliseconds(100);
// At the limit, who has ended is looked for no more often: it takes a system call for each.
constexpr auto kLookPause = std::chrono::milliseconds(100);
// Below it, whenever there are twice as many as were left, and at least so many.
constexpr size_t kMinLookAt = 64;

// For connections that are told why they are refused and then end.
class Refused final : public Handler {
 public:
  absl::Status OnFrame(std::string_view) override { return absl::OkStatus(); }
  void OnClosed(const absl::Status&) override {}
};

}  // namespace

// A connection of which it is not yet known what it speaks.
class Listener::Opening : public std::enable_shared_from_this<Listener::Opening> {
 public:
  Opening(Listener& listener, tcp::socket socket)
      : listener_(&listener), socket_(std::move(socket)), timer_(socket_.get_executor()) {}

  void Start() {
    timer_.expires_after(listener_->options_.opening_timeout);
    timer_.async_wait([self = shared_from_this()](const asio::error_code& stopped) {
      if (!stopped) self->End(Event::kSilent);
    });
    Read();
  }

  void End(Event why) {
    if (listener_ != nullptr) listener_->options_.on_event(why);
    End();
  }

  // The listener is gone, or the connection is of no use.
  void End() {
    asio::error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
    if (Listener* listener = std::exchange(listener_, nullptr)) listener->Forget(this);
  }

 private:
  void Read() {
    socket_.async_read_some(asio::buffer(bytes_.data() + have_, bytes_.size() - have_),
                            [self = shared_from_this()](const asio::error_code& error, size_t n) {
                              if (self->listener_ == nullptr) return;
                              if (error) return self->End();
                              self->OnRead(n);
                            });
  }

  void OnRead(size_t n) {
    have_ += n;
    std::string_view have(bytes_.data(), have_);
    if (Preface::Matches(have) && have.size() < Preface::kBytes) return Read();
    timer_.cancel();
    Listener* listener = std::exchange(listener_, nullptr);
    listener->HandOut(std::move(socket_), have);
    listener->Forget(this);
  }

  Listener* listener_;  // null: ended
  tcp::socket socket_;
  asio::steady_timer timer_;
  std::array<char, Preface::kBytes> bytes_{};
  size_t have_ = 0;
};

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(Loop& loop, Options options) {
  KDB_ASSIGN_OR_RETURN(tcp::acceptor acceptor, Bind(loop.io(), options.address));
  std::unique_ptr<Listener> listener(new Listener(loop, std::move(options), std::move(acceptor)));
  loop.Post([self = listener.get()] { self->AcceptNext(); });
  return listener;
}

Listener::Listener(Loop& loop, Options options, tcp::acceptor acceptor)
    : loop_(loop),
      options_(std::move(options)),
      acceptor_(std::move(acceptor)),
      pause_(loop.io()),
      look_again_(loop.io()),
      look_at_(kMinLookAt) {
  asio::error_code ignored;
  port_ = acceptor_.local_endpoint(ignored).port();
}

Listener::~Listener() {
  loop_.RunAndWait([this] {
    asio::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    look_again_.cancel();
    while (!openings_.empty()) std::shared_ptr(openings_.back())->End();
    for (const auto& weak : connections_) {
      if (std::shared_ptr<Connection> connection = weak.lock()) connection->Close();
    }
  });
  // Close posted the closing, and that the handlers' last call.
  loop_.RunAndWait([] {});
}

void Listener::AcceptNext() {
  acceptor_.async_accept([this](const asio::error_code& error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error) {
      options_.on_event(Event::kNoDescriptor);
      pause_.expires_after(kErrorPause);
      return pause_.async_wait([this](const asio::error_code& stopped) {
        if (!stopped) AcceptNext();
      });
    }
    OnAccepted(std::move(socket));
    AcceptNext();
  });
}

void Listener::OnAccepted(tcp::socket socket) {
  if (!MakeRoom()) return options_.on_event(Event::kTooMany);
  options_.on_event(Event::kAccepted);
  openings_.push_back(std::make_shared<Opening>(*this, std::move(socket)));
  openings_.back()->Start();
}

// Whether there is room for one more. That may cost who has been silent for longest its place: the
// others speak at once.
bool Listener::MakeRoom() {
  bool full = Count() >= options_.max_connections;
  if (Count() >= look_at_ || (full && !looked_)) {
    ForgetEnded();
    full = Count() >= options_.max_connections;
  }
  if (!full && openings_.size() < kMaxOpenings) return true;
  if (openings_.empty()) return false;
  std::shared_ptr(openings_.front())->End(Event::kDisplaced);
  return true;
}

void Listener::ForgetEnded() {
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  handed_over_.ForgetClosed();
  look_at_ = std::max(kMinLookAt, 2 * Count());
  looked_ = true;
  look_again_.expires_after(kLookPause);
  look_again_.async_wait([this](const asio::error_code& stopped) {
    if (!stopped) looked_ = false;
  });
}

void Listener::Forget(const Opening* opening) {
  std::erase_if(openings_, [opening](const auto& o) { return o.get() == opening; });
}

void Listener::HandOut(tcp::socket socket, std::string_view preface) {
  asio::error_code error;
  socket.non_blocking(true, error);
  if (!Preface::Matches(preface)) {
    socket.set_option(tcp::no_delay(true), error);
    if (!options_.others) return;
    int fd = socket.release(error);
    if (error) return;
    handed_over_.Add(fd);
    return options_.others(fd, preface);
  }
  std::shared_ptr<Connection> connection = Connection::Adopt(std::move(socket));
  connections_.push_back(connection);
  absl::StatusOr<Service> service = Preface::Decode(preface);
  auto accept = service.ok() ? options_.services.find(*service) : options_.services.end();
  if (accept != options_.services.end()) {
    return connection->Start(accept->second(connection), options_.opening_timeout);
  }
  connection->Start(std::make_unique<Refused>(), options_.opening_timeout);
  connection->Fail(service.ok() ? absl::UnimplementedError("this server does not offer the service")
                                : service.status());
}

}  // namespace kdb::net

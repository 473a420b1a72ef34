// Connections of a server over sockets, with raw clients.
#include "pkg/http2/server.h"

#include <atomic>

#include "pkg/base/mutex.h"
#include "pkg/http2/fixture_test.h"
#include "pkg/net/fixture_test.h"

namespace kdb::http2 {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// Thread-safe.
class Closings final : public Observer {
 public:
  void OnOpen() override {}
  void OnClose(CloseReason reason, const std::string& /*peer*/) override {
    MutexLock lock(mu_);
    reason_ = reason;
    changed_.NotifyAll();
  }
  void OnReceived(size_t /*bytes*/) override {}
  void OnSent(size_t /*bytes*/) override {}
  void OnHeld(int64_t change) override {
    MutexLock lock(mu_);
    held_ += change;
  }
  bool MayHold(size_t /*bytes*/) override { return true; }

  CloseReason Wait() {
    auto deadline = std::chrono::steady_clock::now() + net::kDeadline;
    MutexLock lock(mu_);
    while (!reason_.has_value()) {
      if (!changed_.WaitUntil(mu_, deadline) && !reason_.has_value()) {
        ADD_FAILURE() << "it is not closed";
        return CloseReason::kClient;
      }
    }
    return *reason_;
  }
  bool closed() {
    MutexLock lock(mu_);
    return reason_.has_value();
  }
  int64_t held() {
    MutexLock lock(mu_);
    return held_;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::optional<CloseReason> reason_ ABSL_GUARDED_BY(mu_);
  int64_t held_ ABSL_GUARDED_BY(mu_) = 0;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    options_.times = {hours(1), hours(1), hours(1), hours(1), hours(1)};
    options_.max_message_bytes = 32 << 20;
  }
  ~ServerTest() override {
    loop_.RunAndWait([&] { server_->CloseAll(CloseReason::kDrain); });
    loop_.RunAndWait([] {});
    loop_.RunAndWait([&] { server_.reset(); });
    EXPECT_EQ(closings_.held(), 0);
  }
  void Connect() {
    server_ = std::make_unique<Server>(loop_.io(), options_, service_, clock_, closings_);
    net::RawSocket listening;
    peer_.Connect(listening.Listen());
    int fd = ::dup(listening.Accept().fd());
    loop_.RunAndWait(
        [&] { server_->Adopt(asio::ip::tcp::socket(loop_.io(), asio::ip::tcp::v4(), fd)); });
  }
  void Talk() {
    client_.Settings();
    peer_.Send(client_.Send());
  }
  // All that comes up to the server's end, which is no reset.
  void ReadToEnd() {
    client_.Receive(peer_.Read());
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(peer_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    EXPECT_EQ(error, 0);
  }

  SystemClock clock_;
  SessionOptions options_;
  EchoService service_;
  Closings closings_;
  net::Loop loop_{"test"};
  std::unique_ptr<Server> server_;
  net::RawSocket peer_;
  Http2Client client_;
};

TEST_F(ServerTest, ASilentClientIsClosed) {
  options_.times.handshake = milliseconds(1);
  Connect();
  ReadToEnd();
  EXPECT_EQ(client_.goaway(), NGHTTP2_SETTINGS_TIMEOUT);
  peer_.Close();
  EXPECT_EQ(closings_.Wait(), CloseReason::kTimeout);
}

TEST_F(ServerTest, ARequestThatStopsIsRefused) {
  options_.times.request = milliseconds(3);
  Connect();
  client_.Ask(EchoHeaders(), std::nullopt);
  Talk();
  while (!client_.answer(1).ended) client_.Receive(peer_.Read(1));
  EXPECT_EQ(client_.answer(1).status(), "4");
}

TEST_F(ServerTest, AClientThatDoesNotReadIsClosed) {
  options_.times.request = options_.times.answer = milliseconds(3);
  options_.times.linger = milliseconds(1);
  Connect();
  nghttp2_session_set_local_window_size(client_.http(), 0, 0, 1 << 30);
  client_.Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30}});
  loop_.RunAndWait([&] { service_.response_bytes = 64 << 20; });
  client_.Ask(EchoHeaders(), Framed(""));
  peer_.Send(client_.Send());
  EXPECT_EQ(closings_.Wait(), CloseReason::kTimeout);
}

// It reads on until the client has read the end: what comes late must not reset the connection,
// which would cost the client answers that it has not read.
TEST_F(ServerTest, AnEndedConnectionLingers) {
  Connect();
  Talk();
  std::atomic<bool> drained = false;
  loop_.RunAndWait([&] { server_->Drain([&] { drained = true; }); });
  while (client_.goaways().size() < 2) {
    client_.Receive(peer_.Read(1));
    peer_.Send(client_.Send());
  }
  ReadToEnd();
  for (int i = 0; i < 100; ++i) {
    peer_.Send(Frame(6, 0, 0, "12345678"));
    loop_.RunAndWait([] {});
  }
  EXPECT_FALSE(closings_.closed());
  EXPECT_FALSE(drained.load());
  peer_.Close();
  EXPECT_EQ(closings_.Wait(), CloseReason::kDrain);
  net::Await(loop_, [&] { return drained.load(); });
}

TEST_F(ServerTest, AnEndedConnectionDoesNotLingerForEver) {
  options_.times.linger = milliseconds(1);
  Connect();
  Talk();
  loop_.RunAndWait([&] { server_->Drain([] {}); });
  while (client_.goaways().size() < 2) {
    client_.Receive(peer_.Read(1));
    peer_.Send(client_.Send());
  }
  ReadToEnd();
  EXPECT_EQ(closings_.Wait(), CloseReason::kDrain);
}

TEST_F(ServerTest, WhoComesDuringADrainIsServedAndSentAway) {
  Connect();
  std::atomic<bool> drained = false;
  loop_.RunAndWait([&] { server_->Drain([&] { drained = true; }); });
  client_.Ask(EchoHeaders(), Framed("x"));
  Talk();
  while (client_.goaways().size() < 2 || !client_.answer(1).ended) {
    client_.Receive(peer_.Read(1));
    peer_.Send(client_.Send());
  }
  EXPECT_EQ(client_.answer(1).status(), "0");
  EXPECT_EQ(client_.goaways()[1].last_stream, 1);
  peer_.Close();
  net::Await(loop_, [&] { return drained.load(); });
}

}  // namespace
}  // namespace kdb::http2

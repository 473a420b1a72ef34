// Every way in which a connection ends; Record checks that its handler hears so once and goes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "pkg/net/fixture_test.h"

namespace kdb::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

class ConnectionEndTest : public ::testing::Test {
 protected:
  std::shared_ptr<Connection> Dial(const std::string& address) {
    return Connection::Dial(loop_.io(), address, Service::kRaft, Recording(record_));
  }
  // Accepts, as a server does, a plain socket that has sent its preface.
  std::shared_ptr<Connection> Adopt(milliseconds hello_timeout = hours(1)) {
    RawSocket listening;
    peer_.Connect(listening.Listen());
    int fd = ::dup(listening.Accept().fd());
    std::shared_ptr<Connection> connection;
    loop_.RunAndWait([&] {
      connection = Connection::Adopt(asio::ip::tcp::socket(loop_.io(), asio::ip::tcp::v4(), fd));
      connection->Start(Recording(record_), hello_timeout);
    });
    return connection;
  }
  absl::Status ErrorAtPeer() { return Parse(peer_.Read()).error; }

  Loop loop_{"test"};
  std::shared_ptr<Record> record_ = std::make_shared<Record>();
  RawSocket peer_;
};

TEST_F(ConnectionEndTest, ThePeerCloses) {
  Adopt();
  peer_.Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConnectionEndTest, ThePeerClosesInTheMiddleOfAFrame) {
  Adopt();
  peer_.Send(ToFrame("hello") + ToFrame("half").substr(0, 9));
  peer_.Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(record_->Frames(0), std::vector<std::string>{"hello"});
}

TEST_F(ConnectionEndTest, ThePeerResets) {
  Adopt();
  peer_.Reset();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConnectionEndTest, ThePeerSaysWhy) {
  Adopt();
  peer_.Send(ToErrorFrame(absl::AbortedError("no more")));
  EXPECT_EQ(record_->Closed(), absl::AbortedError("no more"));
  EXPECT_EQ(peer_.Read(), "") << "a reason needs no answer";
}

TEST_F(ConnectionEndTest, ADamagedFrame) {
  Adopt();
  std::string damaged = ToFrame("damaged");
  damaged.back() ^= 1;
  peer_.Send(ToFrame("hello") + damaged + ToFrame("behind it"));
  EXPECT_EQ(ErrorAtPeer().code(), absl::StatusCode::kDataLoss);
  peer_.Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(record_->Frames(0), std::vector<std::string>{"hello"});
}

TEST_F(ConnectionEndTest, Garbage) {
  Adopt();
  peer_.Send(std::string(1 << 20, '\xee'));
  EXPECT_EQ(ErrorAtPeer().code(), absl::StatusCode::kDataLoss);
  peer_.Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ConnectionEndTest, AHelloOverItsLimit) {
  Adopt();
  peer_.Send(ToFrame(std::string(kMaxHelloBytes + 1, 'x')).substr(0, FrameHeader::kBytes));
  EXPECT_EQ(ErrorAtPeer().message(), "a frame of 4097 bytes; the limit is 4096");
  peer_.Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ConnectionEndTest, NoHello) {
  Adopt(milliseconds(1));
  peer_.Send("x");
  EXPECT_EQ(ErrorAtPeer(), absl::DeadlineExceededError("no hello came"));
  peer_.Close();
  EXPECT_EQ(record_->Closed(), absl::DeadlineExceededError("no hello came"));
}

TEST_F(ConnectionEndTest, TheHandlerRefuses) {
  record_->Answer(absl::FailedPreconditionError("not you"));
  Adopt();
  peer_.Send(ToFrame("hello") + ToFrame("more"));
  EXPECT_EQ(ErrorAtPeer(), absl::FailedPreconditionError("not you"));
  peer_.Send(std::string(1 << 20, 'x'));  // read, so that the reason is not lost by a reset
  peer_.Close();
  EXPECT_EQ(record_->Closed(), absl::FailedPreconditionError("not you"));
  EXPECT_EQ(record_->Frames(0), std::vector<std::string>{"hello"});
}

// It lingers for the peer to read why, but not for ever.
TEST_F(ConnectionEndTest, ThePeerDoesNotCloseAfterAFailure) {
  Adopt()->Fail(absl::AbortedError("enough"));
  EXPECT_EQ(record_->Closed(), absl::AbortedError("enough"));
  EXPECT_EQ(ErrorAtPeer(), absl::AbortedError("enough"));
}

TEST_F(ConnectionEndTest, CloseFromAnotherThread) {
  std::shared_ptr<Connection> connection = Adopt();
  connection->Close();
  connection->Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(peer_.Read(), "");
}

TEST_F(ConnectionEndTest, TheDialIsRefused) {
  int port = RawSocket().Listen();  // and closed again
  Dial(OnLoopback(port))->Send(ToFrame("hello"));
  absl::Status why = record_->Closed();
  EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(why.message()), ::testing::HasSubstr(OnLoopback(port)));
}

TEST_F(ConnectionEndTest, TheNameDoesNotResolve) {
  Dial(std::string(64, 'x') + ".invalid:1");  // no label is that long: not even asked for
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ConnectionEndTest, TheAddressIsNone) {
  for (const char* address : {"nowhere", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", ""}) {
    auto record = std::make_shared<Record>();
    Connection::Dial(loop_.io(), address, Service::kRaft, Recording(record));
    EXPECT_EQ(record->Closed().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

TEST_F(ConnectionEndTest, FailAndCloseWhileDialling) {
  RawSocket listening;
  std::string address = OnLoopback(listening.Listen());
  loop_.RunAndWait([&] { Dial(address)->Fail(absl::AbortedError("changed my mind")); });
  EXPECT_EQ(record_->Closed(), absl::AbortedError("changed my mind"));
  for (const std::string& to : {address, std::string("localhost:1")}) {
    auto record = std::make_shared<Record>();
    Connection::Dial(loop_.io(), to, Service::kRaft, Recording(record))->Close();
    EXPECT_EQ(record->Closed().code(), absl::StatusCode::kCancelled);
  }
}

// A backlog that is full leaves further dials without an answer.
TEST_F(ConnectionEndTest, TheDialTimesOut) {
  RawSocket listening;
  int port = listening.Listen();
  ASSERT_EQ(::listen(listening.fd(), 0), 0);
  RawSocket waits;
  waits.Connect(port);
  Dial(OnLoopback(port));
  EXPECT_THAT(std::string(record_->Closed().message()), ::testing::HasSubstr("timed out"));
}

// A handler may end its connection from within a call; the end comes after the call.
class Quitter final : public Recorder {
 public:
  Quitter(std::shared_ptr<Record> record, bool fail)
      : Recorder(record), record_(std::move(record)), fail_(fail) {}
  absl::Status OnFrame(std::string_view body) override {
    std::shared_ptr<Connection> to = connection_.get();
    if (fail_) {
      to->Fail(absl::AbortedError("quit"));
    } else {
      to->Close();
    }
    EXPECT_EQ(record_->destroyed(), 0);
    return Recorder::OnFrame(body);
  }

  std::promise<std::shared_ptr<Connection>> connection;

 private:
  const std::shared_future<std::shared_ptr<Connection>> connection_ = connection.get_future();
  const std::shared_ptr<Record> record_;
  const bool fail_;
};

TEST_F(ConnectionEndTest, FromWithinACall) {
  for (bool fail : {false, true}) {
    RawSocket listening;
    auto record = std::make_shared<Record>();
    auto handler = std::make_unique<Quitter>(record, fail);
    auto& promise = handler->connection;
    promise.set_value(Connection::Dial(loop_.io(), OnLoopback(listening.Listen()), Service::kRaft,
                                       std::move(handler)));
    RawSocket peer = listening.Accept();
    peer.Send(ToFrame("one") + ToFrame("two"));
    std::string all = peer.Read();
    peer.Close();
    EXPECT_EQ(record->Closed().code(),
              fail ? absl::StatusCode::kAborted : absl::StatusCode::kCancelled);
    EXPECT_TRUE(!fail || record->Frames(0).size() == 1) << "no frame after Fail";
  }
}

TEST_F(ConnectionEndTest, NobodyHoldsIt) {
  std::weak_ptr<Connection> weak = Adopt();
  EXPECT_FALSE(weak.expired()) << "it holds itself while it is open";
  peer_.Close();
  record_->Closed().IgnoreError();
  Await(loop_, [&] { return weak.expired(); });
}

}  // namespace
}  // namespace kdb::net

#include "pkg/net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <span>

#include "pkg/net/fixture_test.h"

namespace kdb::net {
namespace {

using std::string_literals::operator""s;
using std::chrono::milliseconds;
using Event = Listener::Event;

// Connections that were handed over.
class Taken {
 public:
  Listener::HandOver Taker() {
    return [this](int fd, std::string_view read) {
      EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
      ::fcntl(fd, F_SETFL, 0);
      MutexLock lock(mu_);
      taken_.emplace_back(RawSocket(fd), read);
      changed_.NotifyAll();
    };
  }
  // The next one and what was read of it.
  std::pair<RawSocket, std::string> Take() {
    MutexLock lock(mu_);
    while (taken_.empty()) changed_.Wait(mu_);
    auto first = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return first;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  std::vector<std::pair<RawSocket, std::string>> taken_ ABSL_GUARDED_BY(mu_);
};

// What the listener told.
class Events {
 public:
  std::function<void(Listener::Event)> Counter() {
    return [this](Listener::Event event) {
      MutexLock lock(mu_);
      ++counts_[event];
    };
  }
  int Count(Listener::Event event) {
    MutexLock lock(mu_);
    return counts_[event];
  }

 private:
  Mutex mu_;
  std::map<Listener::Event, int> counts_ ABSL_GUARDED_BY(mu_);
};

class ListenerTest : public ::testing::Test {
 protected:
  static void ConnectAndSend(RawSocket& peer, int port, std::string_view bytes) {
    peer.Connect(port);
    peer.Send(bytes);
  }

  Loop loop_{"server"};
  Loop client_loop_{"client"};
  Taken others_;
  Events events_;
};

TEST_F(ListenerTest, TellsItsOwnFromOthers) {
  Served served(loop_, {.address = "", .services = {}, .others = others_.Taker()});
  RawSocket mine;
  ConnectAndSend(mine, served.port(), PrefaceOf(Service::kRaft) + ToFrame("hello"));
  EXPECT_EQ(served.record().Frames(1).front(), "hello");
  for (const std::string& bytes : {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s, "GET / HTTP/1.1\r\n"s,
                                   "K?"s, "KDx"s, "\0"s, std::string(100'000, 'K')}) {
    RawSocket other;
    ConnectAndSend(other, served.port(), bytes);
    auto [socket, read] = others_.Take();
    EXPECT_GT(read.size(), 0u);
    EXPECT_LE(read.size(), Preface::kBytes);
    EXPECT_TRUE(read + socket.Read(bytes.size() - read.size()) == bytes);
    socket.Send("an answer");
    EXPECT_EQ(other.Read(9), "an answer");
  }
}

TEST_F(ListenerTest, TheFirstBytesMayComeOneAtATime) {
  Served served(loop_, {.address = "", .services = {}, .others = others_.Taker()});
  RawSocket mine;
  mine.Connect(served.port());
  for (char c : PrefaceOf(Service::kRaft) + ToFrame("hello")) {
    mine.Send({&c, 1});
    loop_.RunAndWait([] {});
  }
  EXPECT_EQ(served.record().Frames(1).front(), "hello");
  RawSocket other;
  other.Connect(served.port());
  for (char c : "KDC and more"s) {
    other.Send({&c, 1});
    loop_.RunAndWait([] {});
  }
  auto [socket, read] = others_.Take();
  EXPECT_EQ(read + socket.Read(12 - read.size()), "KDC and more");
}

TEST_F(ListenerTest, ClosesOthersThatNobodyTakes) {
  Served served(loop_);
  RawSocket other;
  ConnectAndSend(other, served.port(), "GET");
  EXPECT_EQ(other.Read(), "");
}

TEST_F(ListenerTest, SaysWhatItDoesNotSpeak) {
  Served served(loop_);
  auto answer = [&](std::string_view preface) {
    RawSocket peer;
    ConnectAndSend(peer, served.port(), preface);
    peer.Send(ToFrame("hello"));
    return Parse(peer.Read()).error;
  };
  EXPECT_EQ(answer("KDB2R\0\0\0"s),
            absl::UnimplementedError("this server speaks version 1 of the frame protocol"));
  EXPECT_EQ(answer("KDB1Z\0\0\0"s).code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(answer(PrefaceOf(Service::kCommands)),
            absl::UnimplementedError("this server does not offer the service"));
}

TEST_F(ListenerTest, TheReasonReachesWhoDialled) {
  Served served(loop_);
  served.record().Answer(absl::FailedPreconditionError("not you"));
  auto record = std::make_shared<Record>();
  auto dialled = Connection::Dial(client_loop_.io(), OnLoopback(served.port()), Service::kRaft,
                                  Recording(record));
  dialled->Send(ToFrame("hello"));
  EXPECT_EQ(record->Closed(), absl::FailedPreconditionError("not you"));
  EXPECT_EQ(served.record().Closed(), absl::FailedPreconditionError("not you"));
  auto unknown = std::make_shared<Record>();
  Connection::Dial(client_loop_.io(), OnLoopback(served.port()), Service::kCommands,
                   Recording(unknown));
  EXPECT_EQ(unknown->Closed().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ListenerTest, AConnectionThatSaysNothingIsClosed) {
  Served served(loop_, {.address = "",
                        .services = {},
                        .others = {},
                        .opening_timeout = milliseconds(1),
                        .on_event = events_.Counter()});
  RawSocket silent;
  silent.Connect(served.port());
  EXPECT_EQ(silent.Read(), "");
  EXPECT_EQ(events_.Count(Event::kSilent), 1);
  RawSocket half;
  half.Connect(served.port());
  half.Send("KDB");
  EXPECT_EQ(half.Read(), "");
  EXPECT_EQ(events_.Count(Event::kSilent), 2);
}

TEST_F(ListenerTest, TheSlowestMakeRoomForNewOnes) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8'192);  // both ends of each are here
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  Served served(loop_,
                {.address = "", .services = {}, .others = {}, .on_event = events_.Counter()});
  RawSocket first;
  first.Connect(served.port());
  std::vector<RawSocket> silent(1'024);
  for (RawSocket& peer : silent) peer.Connect(served.port());
  EXPECT_EQ(first.Read(), "");
  RawSocket mine;
  ConnectAndSend(mine, served.port(), PrefaceOf(Service::kRaft) + ToFrame("hello"));
  served.record().Frames(1);
  EXPECT_EQ(events_.Count(Event::kDisplaced), 2);
}

TEST_F(ListenerTest, AnAddressInUse) {
  RawSocket taken;
  int port = taken.Listen();
  absl::Status status =
      Listener::Start(loop_, {.address = OnLoopback(port), .services = {}, .others = {}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(status.message()).find(OnLoopback(port)), std::string::npos);
}

// Whatever a connection is at: when the destructor returns its handler is gone.
TEST_F(ListenerTest, EndsWithConnectionsOpen) {
  for (int round = 0; round < 100; ++round) {
    auto served = std::make_unique<Served>(loop_);
    RawSocket silent, half, open, failing;
    silent.Connect(served->port());
    ConnectAndSend(half, served->port(), "KDB1");
    std::string opening = PrefaceOf(Service::kRaft) + ToFrame("hello");
    ConnectAndSend(open, served->port(), opening + ToFrame("more"));
    served->record().Frames(2);
    ConnectAndSend(failing, served->port(), opening + std::string(100, 'x'));
    if (round % 2 == 0) served->record().Frames(3);
    served->Stop();
    served->record().ExpectAllClosed();
    for (RawSocket* peer : {&silent, &half, &open}) peer->Read();
  }
}

TEST_F(ListenerTest, LeaksNoDescriptors) {
  Served served(loop_, {.address = "", .services = {}, .others = others_.Taker()});
  // What Asio and the C library open once and keep.
  auto visit = [&](int how) {
    RawSocket peer;
    peer.Connect(served.port());
    if (how == 1) peer.Send("KDB");
    if (how == 2) peer.Send("KDB7R\0\0\0"s);
    if (how >= 3) peer.Send(PrefaceOf(Service::kRaft));
    if (how == 4) peer.Send(ToFrame("hello"));
    if (how == 5) peer.Send(std::string(1'000, '\xff'));
    if (how % 2 == 0) peer.Reset();
    auto record = std::make_shared<Record>();
    Connection::Dial(client_loop_.io(), OnLoopback(served.port()), Service::kRaft,
                     Recording(record))
        ->Close();
    record->Closed().IgnoreError();
  };
  visit(0);
  size_t before = OpenDescriptors();
  for (int i = 0; i < 600; ++i) visit(i % 6);
  Await(loop_, [&] { return OpenDescriptors() <= before; });
}

TEST_F(ListenerTest, AcceptsAgainAfterDescriptorsRanOut) {
  Served served(loop_,
                {.address = "", .services = {}, .others = {}, .on_event = events_.Counter()});
  std::vector<RawSocket> peers(8);
  // UBSan, which looks at an object by means of a pipe, knows all types before there is none.
  ConnectAndSend(peers[0], served.port(), PrefaceOf(Service::kRaft) + ToFrame("hello"));
  served.record().Frames(1);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 1 + static_cast<rlim_t>(peers.back().fd());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  for (RawSocket& peer : std::span(peers).subspan(1)) {
    ConnectAndSend(peer, served.port(), PrefaceOf(Service::kRaft) + ToFrame("hello"));
  }
  for (int i = 0; i < 100; ++i) loop_.RunAndWait([] {});
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  served.record().Frames(peers.size());
  EXPECT_GT(events_.Count(Event::kNoDescriptor), 0);
}

}  // namespace
}  // namespace kdb::net

// RaftTransport to RaftService over real sockets on loopback.
#include "pkg/rpc/raft_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/net/listener.h"
#include "pkg/net/loop.h"

namespace kdb::rpc {
namespace {

using raft::Message;
using raft::MessageType;

MemberIdentity Member(raft::NodeId id) {
  return {.cluster_id = "c1", .gid = 7, .id = id, .uuid = "uuid-" + std::to_string(id)};
}

// Waits for a condition that other threads bring about.
class Monitor {
 public:
  void Change(const std::function<void()>& change) {
    MutexLock lock(mu_);
    change();
    changed_.NotifyAll();
  }
  // False: it did not come about in time.
  bool Await(const std::function<bool()>& done,
             std::chrono::milliseconds limit = std::chrono::minutes(2)) {
    auto deadline = std::chrono::steady_clock::now() + limit;
    MutexLock lock(mu_);
    while (!done()) {
      if (!changed_.WaitUntil(mu_, deadline)) return done();
    }
    return true;
  }

 private:
  Mutex mu_;
  CondVar changed_;
};

// A member's receiving side.
class Receiver final : public RaftSink {
 public:
  explicit Receiver(raft::NodeId id) : self(Member(id)) { service.Attach(this); }
  ~Receiver() override {
    Stop();
    service.Detach();
  }

  void Serve(int port = 0) {
    auto listener = net::Listener::Start(
        loop, {.address = "127.0.0.1:" + std::to_string(port),
               .services = {{net::Service::kRaft,
                             [this](auto connection) { return service.Open(connection->peer()); }}},
               .others = {}});
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  void Stop() { listener_.reset(); }
  raftnode::Peer peer() const {
    return {.id = self.id,
            .uuid = self.uuid,
            .address = "127.0.0.1:" + std::to_string(listener_->port())};
  }

  absl::Status Accept(const raftpb::Hello& hello) override {
    absl::Status status = CheckHello(hello, self);
    monitor.Change([&] { (status.ok() ? welcome : refused).push_back(hello.from_id()); });
    return status;
  }
  void Deliver(std::vector<Message> messages) override {
    monitor.Change([&] {
      for (Message& message : messages) got.push_back(std::move(message));
    });
  }

  const MemberIdentity self;
  net::Loop loop{"receiver"};
  RaftService service{self.uuid, obs::NullLogger()};
  Monitor monitor;
  std::vector<Message> got;
  std::vector<raft::NodeId> welcome;
  std::vector<raft::NodeId> refused;

 private:
  std::unique_ptr<net::Listener> listener_;
};

class RaftTransportTest : public ::testing::Test {
 protected:
  void Start(const TransportOptions& options = {}) {
    transport_ =
        std::make_unique<RaftTransport>(options, loop_.io(), Member(1), obs::NullLogger(), metrics_,
                                        [this](raft::NodeId peer, const absl::Status&) {
                                          monitor_.Change([&] { unreachable_.push_back(peer); });
                                        });
  }
  static Message Append(raft::Index index, size_t bytes = 10) {
    Message m;
    m.type = MessageType::kAppend;
    m.from = 1;
    m.to = 2;
    m.index = index;
    m.entries.push_back({.index = index + 1,
                         .term = 3,
                         .type = raft::EntryType::kNormal,
                         .data = Payload(std::string(bytes, 'x'))});
    return m;
  }
  static Message Heartbeat(uint64_t context) {
    Message m;
    m.from = 1;
    m.to = 2;
    m.context = context;
    return m;
  }
  bool AwaitMessages(size_t count) {
    return peer_.monitor.Await([&] { return peer_.got.size() >= count; });
  }
  // Sends until one arrives: while a stream is down messages are dropped.
  void SendUntilDelivered() {
    size_t before = peer_.got.size();
    for (bool there = false; !there;) {
      transport_->Send({Heartbeat(0)});
      there = peer_.monitor.Await([&] { return peer_.got.size() > before; },
                                  std::chrono::milliseconds(10));
    }
  }

  net::Loop loop_{"sender"};
  obs::Registry metrics_;
  Monitor monitor_;
  std::vector<raft::NodeId> unreachable_;
  Receiver peer_{2};
  std::unique_ptr<RaftTransport> transport_;
};

TEST_F(RaftTransportTest, MessagesOfALaneArriveInOrder) {
  Start();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  for (raft::Index i = 0; i < 1'000; ++i) {
    transport_->Send({Append(i), Heartbeat(i), Append(1'000 + i)});
  }
  ASSERT_TRUE(AwaitMessages(3'000));
  uint64_t heartbeats = 0;
  std::vector<raft::Index> appends;
  for (const Message& m : peer_.got) {
    if (m.type == MessageType::kHeartbeat) {
      EXPECT_EQ(m.context, heartbeats++);
    } else {
      appends.push_back(m.index);
      EXPECT_EQ(m.entries.at(0).data.view(), "xxxxxxxxxx");
    }
  }
  EXPECT_EQ(heartbeats, 1'000u);
  for (size_t i = 0; i < appends.size(); ++i) EXPECT_EQ(appends[i], i / 2 + (i % 2) * 1'000);
  EXPECT_EQ(peer_.welcome, (std::vector<raft::NodeId>{1, 1})) << "two lanes";
}

TEST_F(RaftTransportTest, AnEntryOfTheLargestCommand) {
  Start();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  transport_->Send({Append(0, 33 << 20)});
  ASSERT_TRUE(AwaitMessages(1));
  EXPECT_EQ(peer_.got[0].entries[0].data.size(), 33u << 20);
}

TEST_F(RaftTransportTest, AStreamForSomeoneElseIsRefused) {
  Start();
  peer_.Serve();
  raftnode::Peer mistaken = peer_.peer();
  mistaken.uuid = "uuid-of-an-older-directory";
  transport_->SetPeers({mistaken}, 0);
  transport_->Send({Heartbeat(1)});
  EXPECT_TRUE(peer_.monitor.Await([&] { return !peer_.refused.empty(); }));
  EXPECT_TRUE(monitor_.Await([&] { return !unreachable_.empty(); }));
  EXPECT_EQ(unreachable_.front(), 2u);
  EXPECT_TRUE(peer_.got.empty());
}

TEST_F(RaftTransportTest, NamesWhatDoesNotMatch) {
  raftpb::Hello hello;
  hello.set_cluster_id("c1");
  hello.set_gid(7);
  hello.set_to_id(2);
  hello.set_to_uuid("uuid-2");
  EXPECT_TRUE(CheckHello(hello, Member(2)).ok());
  auto refusal = [&](auto change) {
    raftpb::Hello other = hello;
    change(other);
    absl::Status status = CheckHello(other, Member(2));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    return std::string(status.message());
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(
      refusal([](auto& h) { h.set_cluster_id("c2"); }),
      HasSubstr("of cluster c2 (directory uuid-2), found member 2 of group 7 of cluster c1"));
  EXPECT_THAT(refusal([](auto& h) { h.set_gid(8); }),
              HasSubstr("group 8 of cluster c1 (directory uuid-2), found member 2 of group 7"));
  EXPECT_THAT(
      refusal([](auto& h) { h.set_to_id(3); }),
      HasSubstr("expected member 3 of group 7 of cluster c1 (directory uuid-2), found member 2"));
  EXPECT_THAT(
      refusal([](auto& h) { h.set_to_uuid("x"); }),
      HasSubstr("(directory x), found member 2 of group 7 of cluster c1 (directory uuid-2)"));
}

TEST_F(RaftTransportTest, ReconnectsAfterThePeerRestarted) {
  Start();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  SendUntilDelivered();
  int port = std::stoi(peer_.peer().address.substr(peer_.peer().address.rfind(':') + 1));
  peer_.Stop();
  EXPECT_TRUE(monitor_.Await([&] { return !unreachable_.empty(); }));
  peer_.Serve(port);
  SendUntilDelivered();
}

TEST_F(RaftTransportTest, FollowsAPeerToItsNewAddress) {
  Start();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  SendUntilDelivered();
  peer_.Stop();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  SendUntilDelivered();
}

TEST_F(RaftTransportTest, ADeadPeerIsUnreachable) {
  Start();
  peer_.Serve();
  raftnode::Peer dead = peer_.peer();
  peer_.Stop();
  transport_->SetPeers({dead}, 0);
  transport_->Send({Append(0)});
  EXPECT_TRUE(monitor_.Await([&] { return !unreachable_.empty(); }));
}

// What cannot leave is bounded: a peer whose name takes for ever, here a loop that does not turn.
TEST_F(RaftTransportTest, AFullQueueDropsAndSaysSo) {
  Start({.max_queued_bytes = 100'000, .max_request_bytes = 20'000});
  peer_.Serve();
  loop_.RunAndWait([&] {
    transport_->SetPeers({peer_.peer()}, 0);
    transport_->Send({Append(0, 150'000)});  // one message of any size
    for (raft::Index i = 1; i <= 10; ++i) transport_->Send({Append(i, 10'000)});
    EXPECT_EQ(unreachable_, std::vector<raft::NodeId>(10, 2));
    transport_->Send({Heartbeat(1)});  // its lane is free
  });
  ASSERT_TRUE(AwaitMessages(2));
  EXPECT_EQ(peer_.got.size(), 2u);
}

TEST_F(RaftTransportTest, RefusesWithoutASinkAndAfterDetach) {
  Start();
  peer_.Serve();
  transport_->SetPeers({peer_.peer()}, 0);
  SendUntilDelivered();
  peer_.service.Detach();
  size_t before = peer_.got.size();
  transport_->Send({Heartbeat(1)});
  EXPECT_TRUE(monitor_.Await([&] { return !unreachable_.empty(); }));
  EXPECT_EQ(peer_.got.size(), before);
  peer_.service.Attach(&peer_);
  SendUntilDelivered();
}

// What a stranger may send instead of a stream, and what it is told.
class RaftServiceTest : public ::testing::Test {
 protected:
  class Told final : public net::Handler {
   public:
    Told(Monitor& monitor, absl::Status& why) : monitor_(monitor), why_(why) {}
    absl::Status OnFrame(std::string_view) override { return absl::OkStatus(); }
    void OnClosed(const absl::Status& why) override {
      monitor_.Change([&] { why_ = why; });
    }

   private:
    Monitor& monitor_;
    absl::Status& why_;
  };

  absl::Status Send(const std::vector<std::string>& frames) {
    absl::Status why;
    Monitor monitor;
    auto connection = net::Connection::Dial(loop_.io(), peer_.peer().address, net::Service::kRaft,
                                            std::make_unique<Told>(monitor, why));
    for (const std::string& frame : frames) connection->Send(frame);
    EXPECT_TRUE(monitor.Await([&] { return !why.ok(); }));
    loop_.RunAndWait([] {});
    return why;
  }
  static raftpb::StreamRequest Hello() {
    raftpb::StreamRequest request;
    request.mutable_hello()->set_cluster_id("c1");
    request.mutable_hello()->set_gid(7);
    request.mutable_hello()->set_from_id(1);
    request.mutable_hello()->set_to_id(2);
    request.mutable_hello()->set_to_uuid("uuid-2");
    return request;
  }

  RaftServiceTest() { peer_.Serve(); }

  net::Loop loop_{"stranger"};
  Receiver peer_{2};
};

TEST_F(RaftServiceTest, EndsStreamsOfGarbage) {
  EXPECT_EQ(Send({net::ToFrame("\xff\xff\xff")}).message(), "a malformed raft frame");
  EXPECT_EQ(Send({net::ToFrame("")}).message(), "the stream did not open with a hello");
  raftpb::StreamRequest forged;
  forged.add_messages()->set_from(9);
  EXPECT_EQ(Send({net::ToFrame(Hello()), net::ToFrame(forged)}).message(),
            "a message from member 9 on the stream of member 1");
  raftpb::StreamRequest unknown;
  unknown.add_messages()->set_type(99);
  EXPECT_EQ(Send({net::ToFrame(Hello()), net::ToFrame(unknown)}).message(),
            "raft message of unknown type 99");
  EXPECT_TRUE(peer_.got.empty());
}

// 4 MiB of empty messages would be half a gigabyte once parsed.
TEST_F(RaftServiceTest, AStrangersFrameIsNotParsed) {
  EXPECT_EQ(Send({net::ToFrame(std::string(1 << 20, '\x12') + std::string(1 << 20, '\0'))}).code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kdb::rpc

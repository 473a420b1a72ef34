#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <thread>

#include "pkg/net/fixture_test.h"

namespace kdb::net {
namespace {

// Ends with every handler closed and destroyed: Record checks.
class ConnectionSendTest : public ::testing::Test {
 protected:
  ~ConnectionSendTest() override {
    if (connection_ != nullptr) {
      connection_->Close();
      record_->Closed().IgnoreError();
    }
  }

  void Dial(int port) {
    connection_ =
        Connection::Dial(loop_.io(), OnLoopback(port), Service::kRaft, Recording(record_));
  }
  // Dials a plain socket, which has read the preface.
  RawSocket DialRaw() {
    RawSocket listening;
    Dial(listening.Listen());
    RawSocket peer = listening.Accept();
    EXPECT_EQ(peer.Read(Preface::kBytes), PrefaceOf(Service::kRaft));
    return peer;
  }

  Loop loop_{"client"};
  Loop server_loop_{"server"};
  std::shared_ptr<Record> record_ = std::make_shared<Record>();
  std::shared_ptr<Connection> connection_;
};

TEST_F(ConnectionSendTest, FramesOfEachThreadKeepTheirOrder) {
  constexpr int kThreads = 4;
  constexpr int kFrames = 5'000;
  Served served(server_loop_);
  Dial(served.port());
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < kFrames; ++i) {
        connection_->Send(ToFrame(std::to_string(t) + ":" + std::to_string(i)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::map<char, int> next;
  for (const std::string& frame : served.record().Frames(kThreads * kFrames)) {
    ASSERT_EQ(frame.substr(2), std::to_string(next[frame[0]]++));
  }
  EXPECT_EQ(next.size(), kThreads);
}

TEST_F(ConnectionSendTest, BothDirections) {
  Served served(server_loop_);
  Dial(served.port());
  connection_->Send(ToFrame("hello"));
  std::shared_ptr<Connection> accepted = served.Accepted();
  for (int i = 0; i < 1'000; ++i) {
    connection_->Send(ToFrame("to server"));
    accepted->Send(ToFrame("to client"));
  }
  EXPECT_EQ(served.record().Frames(1'001).back(), "to server");
  EXPECT_EQ(record_->Frames(1'000).back(), "to client");
}

TEST_F(ConnectionSendTest, TheLargestFrames) {
  Served served(server_loop_);
  Dial(served.port());
  connection_->Send(ToFrame("hello"));
  std::vector<std::string> bodies;
  for (size_t bytes : {kMaxFrameBytes, size_t{1} << 20, size_t{5'000'000}}) {
    bodies.emplace_back(bytes, 'x');
    connection_->Send(ToFrame(bodies.back()));
    bodies.emplace_back("small");
    connection_->Send(ToFrame(bodies.back()));
  }
  std::vector<std::string> got = served.record().Frames(1 + bodies.size());
  ASSERT_EQ(got.size(), 1 + bodies.size());
  EXPECT_TRUE(std::equal(bodies.begin(), bodies.end(), got.begin() + 1));
  Await(loop_, [&] { return connection_->queued_bytes() == 0; });
}

// A peer that does not read fills the socket; what is queued then leaves in pieces of any size.
TEST_F(ConnectionSendTest, ASlowReaderGetsEverything) {
  RawSocket peer = DialRaw();
  std::string sent;
  auto send = [&](size_t bytes) {
    std::string frame = ToFrame(std::string(bytes, static_cast<char>('a' + sent.size() % 26)));
    sent += frame;
    connection_->Send(frame);
  };
  send(16 << 20);
  for (size_t i = 0; i < 20'000; ++i) send(i % 300);
  EXPECT_GT(connection_->queued_bytes(), 1u << 20);
  std::string got = peer.Read(1'000'003);
  send(7);  // while it waits for the socket
  got += peer.Read(sent.size() - got.size());
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_TRUE(got == sent);
  Await(loop_, [&] { return connection_->queued_bytes() == 0; });
  send(9);
  EXPECT_EQ(peer.Read(ToFrame("").size() + 9), sent.substr(got.size()));
}

TEST_F(ConnectionSendTest, WhatIsSentWhileDiallingArrives) {
  Served served(server_loop_);
  loop_.RunAndWait([&] {  // nothing of the dialling runs meanwhile
    Dial(served.port());
    connection_->Send(ToFrame("first"));
    connection_->Send(ToFrame("second"));
    EXPECT_EQ(connection_->queued_bytes(), Preface::kBytes + 2 * FrameHeader::kBytes + 11);
  });
  EXPECT_EQ(served.record().Frames(2), (std::vector<std::string>{"first", "second"}));
  Await(loop_, [&] { return connection_->queued_bytes() == 0; });
}

TEST_F(ConnectionSendTest, FailSendsWhatIsQueuedAndWhy) {
  RawSocket peer = DialRaw();
  std::vector<std::string> bodies(20, std::string(1 << 20, 'x'));
  for (const std::string& body : bodies) connection_->Send(ToFrame(body));
  connection_->Fail(absl::AbortedError("enough"));
  connection_->Fail(absl::AbortedError("once is enough"));
  connection_->Send(ToFrame("too late"));
  EXPECT_GT(connection_->queued_bytes(), 0u);
  Parsed parsed = Parse(peer.Read());
  EXPECT_TRUE(parsed.bodies == bodies);
  EXPECT_EQ(parsed.error, absl::AbortedError("enough"));
  peer.Close();
  EXPECT_EQ(record_->Closed(), absl::AbortedError("enough"));
}

TEST_F(ConnectionSendTest, CloseDropsWhatIsQueued) {
  RawSocket peer = DialRaw();
  for (int i = 0; i < 64; ++i) connection_->Send(ToFrame(std::string(1 << 20, 'x')));
  connection_->Close();
  EXPECT_EQ(record_->Closed().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(connection_->queued_bytes(), 0u);
  connection_->Send(ToFrame("too late"));
  EXPECT_EQ(connection_->queued_bytes(), 0u);
  EXPECT_LT(peer.Read().size(), 64u << 20);
}

// Senders, a reader and both ends' closing at once: for the sanitizers.
TEST_F(ConnectionSendTest, SendersMeetTheEnd) {
  for (int round = 0; round < 50; ++round) {
    auto served = std::make_unique<Served>(server_loop_);
    auto record = std::make_shared<Record>();
    auto connection =
        Connection::Dial(loop_.io(), OnLoopback(served->port()), Service::kRaft, Recording(record));
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&connection] {
        for (int i = 0; i < 200; ++i) connection->Send(ToFrame(std::string(3'000, 'x')));
      });
    }
    served->record().Frames(1);
    switch (round % 4) {
      case 0:
        connection->Close();
        break;
      case 1:
        connection->Fail(absl::AbortedError("enough"));
        break;
      case 2:
        served->Accepted()->Fail(absl::AbortedError("enough"));
        break;
      case 3:
        served->Stop();
        break;
    }
    for (std::thread& thread : threads) thread.join();
    record->Closed().IgnoreError();
  }
}

}  // namespace
}  // namespace kdb::net

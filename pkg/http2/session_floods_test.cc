// Clients that make work for nothing; and ordinary ones, which are not taken for such.
#include <functional>

#include "pkg/http2/fixture_test.h"

namespace kdb::http2 {
namespace {

using std::chrono::seconds;

class FloodTest : public SessionTest {
 protected:
  // Sends what `frame` gives until the server ends the session; how many frames that took. As the
  // answers are read, nghttp2's limit of what is queued does not help.
  int Flood(const std::function<std::string()>& frame, int most = 30000) {
    for (int i = 1; i <= most; ++i) {
      alive_ = session_->Receive(frame()) && alive_;
      Pump();
      if (session_->ended()) return i;
    }
    return 0;
  }
  void ExpectCalm(std::string_view reason) {
    EXPECT_EQ(session_->failure(), Failure::kProtocol);
    ASSERT_FALSE(client_.goaways().empty());
    EXPECT_EQ(client_.goaways().back().code, NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_EQ(client_.goaways().back().reason, reason);
  }
  std::string Ping() { return Frame(6, 0, 0, "12345678"); }
};

TEST_F(FloodTest, APingIsAnswered) {
  Start();
  nghttp2_submit_ping(client_.http(), 0, nullptr);
  Pump();
  EXPECT_EQ(client_.pings(), 1);
}

TEST_F(FloodTest, PingsWithoutCallsAreAFlood) {
  Start();
  int pings = Flood([&] { return Ping(); });
  EXPECT_GT(pings, 50);
  EXPECT_LE(pings, 101);
  ExpectCalm("too_many_pings");  // what gRPC's clients look for
}

TEST_F(FloodTest, APingEverySecondIsNone) {
  Start();
  for (int i = 0; i < 1000; ++i) {
    alive_ = session_->Receive(Ping());
    Advance(seconds(1));
  }
  EXPECT_EQ(session_->failure(), Failure::kNone);
}

// As grpc-go measures the bandwidth.
TEST_F(FloodTest, APingWithEveryAnswerIsNone) {
  Start();
  for (int i = 0; i < 1000; ++i) {
    nghttp2_submit_ping(client_.http(), 0, nullptr);
    Ask(EchoHeaders(), Framed("x"));
  }
  EXPECT_EQ(session_->failure(), Failure::kNone);
}

TEST_F(FloodTest, WhatFollowsAFloodIsNotRead) {
  Start();
  std::string flood;
  for (int i = 0; i < 5000; ++i) flood += Ping();
  EXPECT_TRUE(session_->Receive(flood));
  EXPECT_LE(session_->queued_frames(), 101U);
  Pump();
  ExpectCalm("too_many_pings");
  EXPECT_EQ(client_.pings(), 100);
}

TEST_F(FloodTest, SettingsAreAFlood) {
  Start();
  int frames = 0;
  for (std::string out; frames < 1000 && !session_->ended(); ++frames, out.clear()) {
    ASSERT_TRUE(session_->Receive(Frame(4, 0, 0, "")));
    ASSERT_TRUE(session_->Send(1 << 20, &out));
    client_.Receive(out);  // and is not heard any more: it has not sent what is acknowledged here
  }
  EXPECT_GT(frames, 50);
  EXPECT_LE(frames, 101);
  ExpectCalm("too_many_pings");
}

TEST_F(FloodTest, SettingsOfManyEntriesEndTheSession) {
  Start();
  std::string entries;
  for (int i = 0; i < 40; ++i) entries += std::string("\0\x4\0\1\0\0", 6);
  session_->Receive(Frame(4, 0, 0, entries));
  Pump();
  EXPECT_EQ(session_->failure(), Failure::kProtocol);
}

TEST_F(FloodTest, FramesThatAskForNothingAreAFlood) {
  const std::string window_update = Frame(8, 0, 0, std::string("\0\0\0\1", 4));
  const std::string answer_to_no_ping = Frame(6, 1, 0, "12345678");
  const std::string idle_reset = Frame(3, 0, 99, std::string("\0\0\0\x8", 4));
  for (const std::string& frame : {window_update, answer_to_no_ping, idle_reset}) {
    client_.Reconnect();
    Start();
    EXPECT_GT(Flood([&] { return frame; }), 1000);
    ExpectCalm("too many frames that ask for nothing");
  }
}

TEST_F(FloodTest, EmptyDataIsAFlood) {
  Start();
  client_.Ask(EchoHeaders(), std::nullopt);
  Pump();
  EXPECT_GT(Flood([] { return Frame(0, 0, 1, ""); }), 1000);
  ExpectCalm("too many frames that ask for nothing");
}

TEST_F(FloodTest, WindowUpdatesForAnswersAreNone) {
  client_settings_ = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}};
  Start();
  int32_t id = client_.Ask(EchoHeaders(), Framed(std::string(60000, 'v')));
  Pump();
  for (int i = 0; i < 60000; ++i) {
    nghttp2_submit_window_update(client_.http(), 0, id, 1);
    if (i % 100 == 0) Pump();
  }
  Pump();
  EXPECT_EQ(session_->failure(), Failure::kNone);
  EXPECT_EQ(client_.answer(id).status(), "0");
}

// CVE-2023-44487: "rapid reset".
TEST_F(FloodTest, ResetsAreAFlood) {
  service_.hold = true;
  Start();
  for (int i = 0; i < 20000 && client_.goaways().empty(); ++i) {
    int32_t id = client_.Ask(EchoHeaders(), Framed("x"));
    alive_ = session_->Receive(client_.Send());
    client_.Reset(id);
    Pump();
  }
  EXPECT_FALSE(client_.goaways().empty());
  EXPECT_LT(service_.started, 10000);
}

// CVE-2025-8671: the client has the server reset its streams, here by a window that is too large.
TEST_F(FloodTest, StreamsThatWeMustResetAreAFlood) {
  service_.hold = true;
  Start();
  for (int i = 0; i < 20000 && !session_->ended(); ++i) {
    int32_t id = client_.Ask(EchoHeaders(), Framed("x"));
    alive_ = session_->Receive(client_.Send());
    session_->Receive(Frame(8, 0, static_cast<uint32_t>(id), "\x7f\xff\xff\xff"));
    Pump();
  }
  ExpectCalm("too many streams had to be reset");
  EXPECT_LT(service_.started, 10000);
  EXPECT_TRUE(service_.held.empty());
}

TEST_F(FloodTest, ManyCallsThatReachTheirDeadlinesAreNone) {
  service_.hold = true;
  Start();
  std::vector<int32_t> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(client_.Ask(EchoHeaders(), Framed("x")));
  Pump();
  for (int32_t id : ids) client_.Reset(id);
  Pump();
  EXPECT_EQ(session_->failure(), Failure::kNone);
  EXPECT_TRUE(service_.held.empty());
}

// CVE-2024-28182.
TEST_F(FloodTest, HeadersWithoutEndAreCutOff) {
  for (std::string_view piece : {"", "\x82"}) {
    Session session(options_, service_, deadlines_, clock_, [] {});
    ASSERT_TRUE(session.Receive(std::string(kPreface) + Frame(4, 0, 0, "")));
    session.Receive(Frame(1, 0, 1, ""));
    for (int i = 0; i < 20; ++i) session.Receive(Frame(9, 0, 1, piece));
    std::string out;
    session.Send(1 << 20, &out);
    EXPECT_EQ(session.failure(), Failure::kProtocol);
  }
}

TEST(AllowanceTest, IsUsedUpAndComesBack) {
  StillClock clock;
  Allowance allowance(3, 2, clock.now);
  EXPECT_TRUE(allowance.Take(clock) && allowance.Take(clock) && allowance.Take(clock));
  EXPECT_FALSE(allowance.Take(clock));
  clock.now += std::chrono::milliseconds(499);
  EXPECT_FALSE(allowance.Take(clock));
  clock.now += std::chrono::milliseconds(1);
  EXPECT_TRUE(allowance.Take(clock));
  EXPECT_FALSE(allowance.Take(clock));
  allowance.Earn(1);
  EXPECT_TRUE(allowance.Take(clock));
  clock.now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(allowance.Take(clock));
  EXPECT_FALSE(allowance.Take(clock));
  allowance.Earn(100);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(allowance.Take(clock));
  EXPECT_FALSE(allowance.Take(clock));
}

}  // namespace
}  // namespace kdb::http2

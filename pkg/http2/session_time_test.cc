// Clients that fall silent, and sessions that are shut down.
#include "pkg/http2/fixture_test.h"

namespace kdb::http2 {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TimeTest : public SessionTest {
 protected:
  // A client that has sent no more than this.
  void StartWith(std::string_view bytes) {
    session_ =
        std::make_unique<Session>(options_, service_, deadlines_, clock_, [this] { ++changes_; });
    ASSERT_TRUE(session_->Receive(bytes));
    std::string settings;
    session_->Send(1 << 20, &settings);
    client_.Send();
    client_.Receive(settings);
  }
  void ExpectTimeout(uint32_t code) {
    EXPECT_TRUE(session_->ended());
    EXPECT_EQ(session_->failure(), Failure::kTimeout);
    EXPECT_EQ(client_.goaway(), code);
    EXPECT_GT(changes_, 0);
    EXPECT_EQ(deadlines_.earliest(), std::nullopt);
  }
  // The session's part of Pump: the client says no more.
  void AdvanceSilently(Clock::Duration time) {
    clock_.now += time;
    deadlines_.Expire(clock_.now);
    std::string out;
    alive_ = session_->Send(1 << 20, &out) && alive_;
    client_.Receive(out);
  }
};

TEST_F(TimeTest, AHandshakeThatDoesNotComeIsATimeout) {
  const std::string preface = kPreface;
  for (const std::string& said :
       {std::string(), preface.substr(0, 10), preface, preface + Frame(4, 0, 0, "").substr(0, 5)}) {
    client_.Reconnect();
    StartWith(said);
    AdvanceSilently(options_.times.handshake - milliseconds(1));
    EXPECT_EQ(session_->failure(), Failure::kNone);
    AdvanceSilently(milliseconds(1));
    ExpectTimeout(NGHTTP2_SETTINGS_TIMEOUT);
  }
}

TEST_F(TimeTest, AClientWithoutCallsMayStay) {
  Start();
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
  Ask(EchoHeaders(), Framed("x"));
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
  Advance(hours(100));
  EXPECT_EQ(Ask(EchoHeaders(), Framed("x")).status(), "0");
}

TEST_F(TimeTest, ACallMayTakeItsTime) {
  service_.hold = true;
  Start();
  Answer& answer = Ask(EchoHeaders(), Framed("x"));
  for (int i = 0; i < 100; ++i) Advance(seconds(30));
  Finish(service_.held.front(), "x");
  Pump();
  EXPECT_EQ(answer.status(), "0");
}

TEST_F(TimeTest, ARequestThatStopsIsRefused) {
  Start();
  int32_t headers_only = client_.Ask(EchoHeaders(), std::nullopt);
  int32_t half = client_.Ask(EchoHeaders(), Framed("hello").substr(0, 7), false);
  Pump();
  for (int i = 0; i < 3; ++i) Advance(seconds(10));
  EXPECT_FALSE(client_.answer(half).ended);
  Advance(seconds(10));
  for (int32_t id : {headers_only, half}) {
    EXPECT_EQ(client_.answer(id).status(), "4");
    EXPECT_TRUE(client_.answer(id).headers["grpc-message"].starts_with("TIMEOUT "));
    EXPECT_EQ(client_.answer(id).closed, NGHTTP2_NO_ERROR);
  }
  EXPECT_EQ(service_.started, 0);
  EXPECT_EQ(Ask(EchoHeaders(), Framed("x")).status(), "0");  // the connection is fine
  Advance(seconds(10));
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

TEST_F(TimeTest, AByteNowAndThenIsTooLittle) {
  Start();
  int32_t id = client_.Ask(EchoHeaders(), std::nullopt);
  for (char c : Framed("slow loris")) {
    client_.More(id, {&c, 1}, false);
    Pump();
    Advance(seconds(9));
  }
  EXPECT_EQ(client_.answer(id).status(), "4");
}

TEST_F(TimeTest, ALargeRequestMayTakeLonger) {
  options_.max_message_bytes = 16 << 20;
  Start();
  std::string bytes = Framed(std::string(16 << 20, 'v'));
  int32_t id = client_.Ask(EchoHeaders(), bytes.substr(0, 5), false);
  Pump();
  for (size_t at = 5; at < bytes.size(); at += 1 << 20) {  // 105 KiB/s
    client_.More(id, bytes.substr(at, 1 << 20), at + (1 << 20) >= bytes.size());
    Advance(seconds(10));
  }
  EXPECT_EQ(client_.answer(id).status(), "0");
}

TEST_F(TimeTest, WaitingForAGrantIsNotTheClientsFault) {
  options_.max_message_bytes = 1 << 20;
  Start();
  std::string bytes = Framed(std::string(1 << 20, 'v'));
  for (int i = 0; i < 2; ++i) client_.Ask(EchoHeaders(), bytes.substr(0, 100), false);
  int32_t waiting = client_.Ask(EchoHeaders(), bytes);
  Pump();
  EXPECT_LT(client_.sent(waiting), bytes.size());
  for (int i = 0; i < 6; ++i) Advance(seconds(10));
  EXPECT_EQ(client_.answer(waiting).status(), "0");
}

TEST_F(TimeTest, HeadersThatStopEndTheSession) {
  for (std::string_view end : {std::string_view(), std::string_view("\0\0\1\x9", 4)}) {
    client_.Reconnect();
    StartWith(std::string(kPreface) + Frame(4, 0, 0, "") + Frame(1, 0, 1, "\x82").append(end));
    changes_ = 0;
    for (int i = 0; i < 3; ++i) AdvanceSilently(seconds(10));
    EXPECT_EQ(session_->failure(), Failure::kNone);
    AdvanceSilently(seconds(10));
    ExpectTimeout(NGHTTP2_CANCEL);
  }
}

TEST_F(TimeTest, AnswersThatAreNotTakenEndTheSession) {
  client_settings_ = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
  Start();
  client_.Ask(EchoHeaders(), Framed("hello"));
  Pump();
  std::string out;
  auto advance = [&](int checks) {
    for (int i = 0; i < checks; ++i) {
      clock_.now += seconds(10);
      deadlines_.Expire(clock_.now);
      ASSERT_TRUE(session_->Send(1 << 20, &out));
    }
  };
  for (int i = 0; i < 9; ++i) {  // a byte every minute
    ASSERT_TRUE(session_->Receive(Frame(8, 0, 1, std::string("\0\0\0\1", 4))));
    advance(6);
  }
  EXPECT_EQ(session_->failure(), Failure::kNone);
  advance(2);
  EXPECT_EQ(session_->failure(), Failure::kNone);
  advance(1);
  EXPECT_EQ(session_->failure(), Failure::kTimeout);
  EXPECT_TRUE(session_->ended());
}

// --- Shutdown.

class ShutdownTest : public TimeTest {
 protected:
  void ExpectNotice() {
    ASSERT_FALSE(client_.goaways().empty());
    EXPECT_EQ(client_.goaways()[0].last_stream, kNoLastStream);
    EXPECT_EQ(client_.goaways()[0].code, NGHTTP2_NO_ERROR);
  }
};

TEST_F(ShutdownTest, AnIdleSessionEndsAfterARoundTrip) {
  Start();
  session_->Shutdown();
  EXPECT_FALSE(session_->ended());
  Pump();
  EXPECT_TRUE(session_->ended());
  EXPECT_EQ(session_->failure(), Failure::kNone);
  ExpectNotice();
  ASSERT_EQ(client_.goaways().size(), 2U);
  EXPECT_EQ(client_.goaways()[1].last_stream, 0);
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

// A client asks until it has read that it should not; none of its calls is lost.
TEST_F(ShutdownTest, CallsOnTheirWayAreAnswered) {
  Start();
  int32_t before = client_.Ask(EchoHeaders(), Framed("1"));
  Pump();
  session_->Shutdown();
  std::string notice;
  session_->Send(1 << 20, &notice);
  int32_t crossing = client_.Ask(EchoHeaders(), Framed("2"));
  session_->Receive(client_.Send());
  client_.Receive(notice);
  ExpectNotice();
  ASSERT_EQ(client_.goaways().size(), 1U);
  Pump();
  EXPECT_EQ(client_.answer(before).status(), "0");
  EXPECT_EQ(client_.answer(crossing).status(), "0");
  ASSERT_EQ(client_.goaways().size(), 2U);
  EXPECT_EQ(client_.goaways()[1].last_stream, crossing);
  EXPECT_TRUE(session_->ended());
}

// Else a call that the client makes after it has answered might be taken for one that was refused.
TEST_F(ShutdownTest, TheNoticeComesBeforeThePing) {
  Start();
  session_->Shutdown();
  std::string notice;
  session_->Send(1 << 20, &notice);
  EXPECT_EQ(notice[3], NGHTTP2_GOAWAY);
  EXPECT_EQ(notice.size(), 9U + 8 + 9 + 8);
  EXPECT_EQ(notice[17 + 3], NGHTTP2_PING);
}

TEST_F(ShutdownTest, CallsUnderWayAreFinished) {
  service_.hold = true;
  Start();
  Answer& answer = Ask(EchoHeaders(), Framed("x"));
  session_->Shutdown();
  Pump();
  EXPECT_FALSE(session_->ended());
  Finish(service_.held.front(), "done");
  Pump();
  EXPECT_EQ(answer.body, Framed("done"));
  EXPECT_TRUE(session_->ended());
  EXPECT_EQ(session_->failure(), Failure::kNone);
}

TEST_F(ShutdownTest, LaterCallsAreIgnored) {
  service_.hold = true;
  Start();
  Ask(EchoHeaders(), Framed("x"));
  session_->Shutdown();
  std::string out;
  session_->Send(1 << 20, &out);
  AdvanceSilently(options_.times.ping);  // the client does not answer
  int32_t late = client_.Ask(EchoHeaders(), Framed("y"));
  session_->Receive(client_.Send());
  EXPECT_EQ(service_.started, 1);
  client_.Receive(out);
  EXPECT_EQ(client_.goaways().front().last_stream, late - 2);
}

TEST_F(ShutdownTest, ASilentClientIsNotWaitedFor) {
  StartWith("");
  session_->Shutdown();
  session_->Shutdown();  // changes nothing
  AdvanceSilently(options_.times.ping - milliseconds(1));
  EXPECT_FALSE(session_->ended());
  changes_ = 0;
  AdvanceSilently(milliseconds(1));
  EXPECT_EQ(changes_, 1);
  EXPECT_TRUE(session_->ended());
  ASSERT_EQ(client_.goaways().size(), 2U);
}

}  // namespace
}  // namespace kdb::http2

// Flow control, and garbage.
#include <algorithm>

#include "pkg/base/random.h"
#include "pkg/http2/fixture_test.h"

namespace kdb::http2 {
namespace {

TEST_F(SessionTest, GarbageEndsTheSession) {
  Session session(options_, service_, deadlines_, clock_, [] {});
  EXPECT_FALSE(session.Receive("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(session.failure(), Failure::kProtocol);
}

TEST_F(SessionTest, HalfAPrefaceWaits) {
  Session session(options_, service_, deadlines_, clock_, [] {});
  EXPECT_TRUE(session.Receive(std::string_view(kPreface).substr(0, 10)));
  EXPECT_FALSE(session.ended());
  EXPECT_TRUE(session.Receive(std::string_view(kPreface).substr(10)));
  EXPECT_TRUE(session.Receive(Frame(4, 0, 0, "")));
  EXPECT_EQ(session.failure(), Failure::kNone);
}

TEST_F(SessionTest, AProtocolErrorEndsTheSession) {
  Start();
  ASSERT_TRUE(session_->Receive(Frame(0, 0, 1, "data on a stream that was never opened")));
  Pump();
  EXPECT_TRUE(session_->ended());
  EXPECT_EQ(session_->failure(), Failure::kProtocol);
  EXPECT_EQ(client_.goaway(), NGHTTP2_PROTOCOL_ERROR);
}

TEST_F(SessionTest, MoreCallsThanAllowedWait) {
  options_.max_calls = 3;
  service_.hold = true;
  Start();
  for (int i = 0; i < 5; ++i) client_.Ask(EchoHeaders(), Framed("x"));
  Pump();
  ASSERT_EQ(service_.held.size(), 3U);
  Finish(service_.held.front(), "x");
  Pump();
  EXPECT_EQ(service_.started, 4);
}

TEST_F(SessionTest, TheLargestRequestPassesWithoutHelp) {
  options_.max_message_bytes = 17 << 20;
  client_settings_ = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30}};
  Start();
  nghttp2_session_set_local_window_size(client_.http(), 0, 0, 1 << 30);
  std::string message(17 << 20, 'v');
  Answer& answer = Ask(EchoHeaders(), Framed(message));
  EXPECT_EQ(answer.status(), "0");
  EXPECT_TRUE(answer.body == Framed(message));
}

// Each promises a large message and sends it up to its last byte. Without grants they would fill
// memory; with grants for all of them at once, none might ever be whole.
TEST_F(SessionTest, LargeRequestsTakeTurns) {
  options_.max_message_bytes = 1 << 20;
  Start();
  std::vector<int32_t> ids;
  std::string message(1 << 20, 'v');
  std::string bytes = Framed(message);
  for (int i = 0; i < 8; ++i) {
    ids.push_back(client_.Ask(EchoHeaders(), bytes.substr(0, bytes.size() - 1), false));
  }
  Pump();
  size_t full = 0;
  for (int32_t id : ids) full += client_.sent(id) == bytes.size() - 1;
  EXPECT_EQ(full, 2U);
  for (int32_t id : ids) client_.More(id, bytes.substr(bytes.size() - 1), true);
  Pump();
  EXPECT_EQ(service_.started, 8);
}

TEST_F(SessionTest, ACancelledLargeRequestGivesItsTurnBack) {
  options_.max_message_bytes = 1 << 20;
  Start();
  std::string bytes = Framed(std::string(1 << 20, 'v'));
  int32_t first = client_.Ask(EchoHeaders(), bytes.substr(0, 100), false);
  int32_t second = client_.Ask(EchoHeaders(), bytes.substr(0, 100), false);
  int32_t third = client_.Ask(EchoHeaders(), bytes);
  Pump();
  EXPECT_EQ(service_.started, 0);
  client_.Reset(first);
  client_.Reset(second);
  Pump();
  EXPECT_EQ(client_.answer(third).status(), "0");
}

TEST_F(SessionTest, AClientWithoutAWindowHoldsUpOnlyItself) {
  options_.pause_bytes = 1000;
  client_settings_ = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
  Start();
  std::string message(500, 'v');
  for (int i = 0; i < 5; ++i) client_.Ask(EchoHeaders(), Framed(message));
  Pump();
  EXPECT_EQ(service_.started, 2);  // further calls wait
  EXPECT_EQ(session_->unsent(), 2 * Framed(message).size());
  client_.Settings({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100000}});
  Pump();
  EXPECT_EQ(service_.started, 5);
  EXPECT_EQ(session_->unsent(), 0U);
}

TEST_F(SessionTest, ACancelledAnswerIsHeldNoMore) {
  client_settings_ = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};
  Start();
  int32_t id = client_.Ask(EchoHeaders(), Framed("hello"));
  Pump();
  EXPECT_EQ(session_->unsent(), Framed("hello").size());
  client_.Reset(id);
  Pump();
  EXPECT_EQ(session_->unsent(), 0U);
}

// Valid traffic with bytes changed here and there: the session may end, and must not break.
TEST_F(SessionTest, DamagedTrafficIsSurvived) {
  constexpr uint64_t kSeed = 7;
  RecordProperty("seed", std::to_string(kSeed));
  Random random(kSeed);
  Http2Client client;
  client.Settings();
  for (int i = 0; i < 20; ++i) client.Ask(EchoHeaders({{"password", "x"}}), Framed("hello"));
  const std::string traffic = client.Send();
  for (int round = 0; round < 2000; ++round) {
    std::string damaged = traffic;
    for (int i = 0; i < 3; ++i) {
      damaged[24 + random.Next() % (damaged.size() - 24)] = static_cast<char>(random.Next());
    }
    Session session(options_, service_, deadlines_, clock_, [] {});
    for (size_t at = 0; at < damaged.size();) {
      size_t n = std::min<size_t>(1 + random.Next() % 200, damaged.size() - at);
      if (!session.Receive({damaged.data() + at, n})) break;
      std::string out;
      if (!session.Send(1 << 20, &out)) break;
      at += n;
    }
  }
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

}  // namespace
}  // namespace kdb::http2

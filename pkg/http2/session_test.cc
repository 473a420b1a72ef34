// Calls as gRPC's clients make them, and as they should not.
#include "pkg/http2/session.h"

#include "pkg/http2/fixture_test.h"

namespace kdb::http2 {
namespace {

using std::chrono::milliseconds;

TEST_F(SessionTest, AnswersACall) {
  Start();
  Answer& answer =
      Ask(EchoHeaders({{"password", "a"}, {"password", "b"}, {"other", "c"}}), Framed("hello"));
  EXPECT_EQ(answer.headers[":status"], "200");
  EXPECT_EQ(answer.headers["content-type"], "application/grpc");
  EXPECT_EQ(answer.headers["grpc-accept-encoding"], "identity");
  EXPECT_EQ(answer.body, Framed("hello"));
  EXPECT_EQ(answer.status(), "0");
  EXPECT_TRUE(answer.ended);
  EXPECT_EQ(answer.closed, NGHTTP2_NO_ERROR);
  EXPECT_EQ(service_.metadata, (Metadata{{"password", "a"}, {"password", "b"}}));
}

TEST_F(SessionTest, AnswersLater) {
  service_.hold = true;
  Start();
  Answer& first = Ask(EchoHeaders(), Framed("1"));
  Answer& second = Ask(EchoHeaders(), Framed("2"));
  ASSERT_EQ(service_.held.size(), 2U);
  changes_ = 0;
  Finish(service_.held[1], "second");
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(service_.held.size(), 2U);  // nothing is destroyed inside Finish
  Pump();
  EXPECT_EQ(second.body, Framed("second"));
  EXPECT_EQ(service_.held.size(), 1U);
  EXPECT_FALSE(first.ended);
}

TEST_F(SessionTest, ErrorsAreTrailersAlone) {
  service_.error = absl::UnavailableError("10% done\n");
  Start();
  Answer& answer = Ask(EchoHeaders(), Framed("x"));
  EXPECT_EQ(answer.status(), "14");
  EXPECT_EQ(answer.headers["grpc-message"], "10%25 done%0A");
  EXPECT_EQ(answer.headers[":status"], "200");
  EXPECT_EQ(answer.body, "");
  EXPECT_TRUE(answer.ended);
}

TEST_F(SessionTest, ARequestMayComeInPieces) {
  Start();
  std::string bytes = Framed("hello");
  int32_t id = client_.Ask(EchoHeaders(), std::nullopt);
  for (char c : bytes) {
    client_.More(id, {&c, 1}, false);
    Pump();
    EXPECT_EQ(service_.started, 0);
  }
  client_.More(id, "", true);
  Pump();
  EXPECT_EQ(client_.answer(id).body, bytes);
}

TEST_F(SessionTest, AnUnknownMethodIsUnimplementedAtOnce) {
  Start();
  Headers headers = EchoHeaders();
  headers[2].second = "/test/Other";
  Answer& answer = Ask(headers, std::nullopt);
  EXPECT_EQ(answer.status(), "12");
  // The client is told not to send the rest, which is no error.
  EXPECT_EQ(answer.closed, NGHTTP2_NO_ERROR);
}

TEST_F(SessionTest, WhatIsNotGrpcGetsAnHttpStatus) {
  Start();
  Headers get = EchoHeaders();
  get[0].second = "GET";
  EXPECT_EQ(Ask(get, std::nullopt).headers[":status"], "405");
  Headers json = EchoHeaders();
  json[5].second = "application/json";
  EXPECT_EQ(Ask(json, Framed("x")).headers[":status"], "415");
  Headers no_te = EchoHeaders();
  no_te.erase(no_te.begin() + 4);
  EXPECT_EQ(Ask(no_te, Framed("x")).headers[":status"], "400");
  Answer& large = Ask(EchoHeaders({{"big", std::string(kMaxHeaderBytes, 'x')}}), Framed("x"));
  EXPECT_EQ(large.headers[":status"], "431");
  EXPECT_EQ(service_.started, 0);
  EXPECT_EQ(Ask(EchoHeaders(), Framed("x")).status(), "0");  // the connection is fine
}

TEST_F(SessionTest, BadMessagesAreRefused) {
  options_.max_message_bytes = 10;
  Start();
  EXPECT_EQ(Ask(EchoHeaders(), "").status(), "12");
  EXPECT_EQ(Ask(EchoHeaders(), Framed("a") + Framed("b")).status(), "12");
  EXPECT_EQ(Ask(EchoHeaders(), std::string("\0\0", 2)).status(), "13");
  EXPECT_EQ(Ask(EchoHeaders({{"grpc-encoding", "gzip"}}), std::string("\1\0\0\0\1x", 6)).status(),
            "12");
  EXPECT_EQ(Ask(EchoHeaders({{"grpc-encoding", "identity"}}), Framed("x")).status(), "0");
  EXPECT_EQ(Ask(EchoHeaders({{"grpc-timeout", "soon"}}), Framed("x")).status(), "13");
  EXPECT_EQ(Ask(EchoHeaders(), Framed(std::string(10, 'x'))).status(), "0");
  EXPECT_EQ(Ask(EchoHeaders(), Framed(std::string(11, 'x'))).status(), "8");
}

TEST_F(SessionTest, ATooLargeRequestIsRefusedAtItsPrefix) {
  Start();
  Answer& answer = Ask(EchoHeaders(), std::string("\0\x7f\0\0\0", 5));
  EXPECT_EQ(answer.status(), "8");
  EXPECT_EQ(answer.closed, NGHTTP2_NO_ERROR);
}

TEST_F(SessionTest, ADeadlineEndsACall) {
  service_.hold = true;
  Start();
  Answer& answer = Ask(EchoHeaders({{"grpc-timeout", "100m"}}), Framed("x"));
  int32_t unsent = client_.Ask(EchoHeaders({{"grpc-timeout", "200m"}}), std::nullopt);
  Pump();
  EXPECT_EQ(deadlines_.earliest(), clock_.now + milliseconds(100));
  deadlines_.Expire(clock_.now + milliseconds(99));
  EXPECT_EQ(service_.held.size(), 1U);
  deadlines_.Expire(clock_.now + milliseconds(200));
  EXPECT_TRUE(service_.held.empty());
  Pump();
  EXPECT_EQ(answer.status(), "4");
  EXPECT_NE(answer.headers["grpc-message"].find("may or may not"), std::string::npos);
  EXPECT_EQ(client_.answer(unsent).status(), "4");
  EXPECT_NE(client_.answer(unsent).headers["grpc-message"].find("nothing was executed"),
            std::string::npos);
}

TEST_F(SessionTest, AnAnswerInTimeNeedsNoDeadline) {
  Start();
  Ask(EchoHeaders({{"grpc-timeout", "100m"}}), Framed("x"));
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

TEST_F(SessionTest, ACancelledCallIsDropped) {
  service_.hold = true;
  Start();
  int32_t id = client_.Ask(EchoHeaders({{"grpc-timeout", "100m"}}), Framed("x"));
  Pump();
  ASSERT_EQ(service_.held.size(), 1U);
  client_.Reset(id);
  Pump();
  EXPECT_TRUE(service_.held.empty());
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

// As gRPC's C core does.
TEST_F(SessionTest, ACallMayBeResetBeforeItsHeaders) {
  service_.hold = true;
  Start();
  Answer& answer = Ask(EchoHeaders(), Framed("x"));
  const std::string reset = Frame(3, 0, 99, std::string("\0\0\0\x8", 4));
  for (size_t at = 0; at <= reset.size(); ++at) {
    ASSERT_TRUE(session_->Receive(reset.substr(0, at)));
    ASSERT_TRUE(session_->Receive(reset.substr(at) + reset));
  }
  Finish(service_.held.front(), "done");
  Pump();
  EXPECT_EQ(answer.body, Framed("done"));
  EXPECT_EQ(session_->failure(), Failure::kNone);
}

TEST_F(SessionTest, TheEndDropsWhatIsUnderWay) {
  service_.hold = true;
  Start();
  Ask(EchoHeaders({{"grpc-timeout", "100m"}}), Framed("x"));
  Ask(EchoHeaders(), std::nullopt);
  session_.reset();
  EXPECT_TRUE(service_.held.empty());
  EXPECT_EQ(deadlines_.earliest(), std::nullopt);
}

}  // namespace
}  // namespace kdb::http2

#include "pkg/http2/grpc_wire.h"

#include <gtest/gtest.h>

namespace kdb::http2 {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

std::string Framed(std::string_view message, char flag = 0) {
  std::array<char, kMessagePrefixBytes> prefix = MessagePrefix(message.size());
  prefix[0] = flag;
  return std::string(prefix.data(), prefix.size()) + std::string(message);
}

TEST(GrpcWireTest, ContentTypes) {
  for (const char* type : {"application/grpc", "application/grpc+proto",
                           "application/grpc; charset=utf-8", "application/grpc+proto;a=b"}) {
    EXPECT_TRUE(IsGrpcContentType(type)) << type;
  }
  for (const char* type : {"", "application/json", "application/grpc-web", "application/grpc+json",
                           "application/grp"}) {
    EXPECT_FALSE(IsGrpcContentType(type)) << type;
  }
}

TEST(GrpcWireTest, Timeouts) {
  EXPECT_EQ(ParseTimeout("1H"), hours(1));
  EXPECT_EQ(ParseTimeout("100m"), milliseconds(100));
  EXPECT_EQ(ParseTimeout("0n"), nanoseconds(0));
  EXPECT_EQ(ParseTimeout("99999999n"), nanoseconds(99999999));
  EXPECT_EQ(ParseTimeout("99999999H"), hours(24 * 365));  // the longest that is kept
  for (const char* value : {"", "m", "1", "1s", "-1S", "+1S", " 1S", "1.5S", "123456789S", "1SS"}) {
    EXPECT_EQ(ParseTimeout(value), std::nullopt) << value;
  }
}

TEST(GrpcWireTest, StatusMessagesArePercentEncoded) {
  EXPECT_EQ(PercentEncode("a key of 10%\n"), "a key of 10%25%0A");
  EXPECT_EQ(PercentEncode("\xc3\xa9\x7f~ "), "%C3%A9%7F~ ");
  EXPECT_EQ(PercentEncode(std::string(5000, 'x')).size(), 1024U);
}

TEST(GrpcWireTest, AMessageMayBeSplitAnywhere) {
  std::string bytes = Framed("hello");
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    MessageReader reader;
    ASSERT_TRUE(reader.Take(std::string_view(bytes).substr(0, cut), 5, false).ok());
    EXPECT_EQ(reader.Finish().ok(), cut == bytes.size());
    ASSERT_TRUE(reader.Take(std::string_view(bytes).substr(cut), 5, false).ok());
    ASSERT_TRUE(reader.Finish().ok());
    EXPECT_EQ(reader.TakeMessage(), "hello");
  }
}

absl::StatusCode CodeOf(std::string_view bytes, bool has_encoding = false) {
  MessageReader reader;
  absl::Status status = reader.Take(bytes, 5, has_encoding);
  return status.ok() ? reader.Finish().code() : status.code();
}

TEST(GrpcWireTest, WhatIsNoSingleMessageIsRefused) {
  EXPECT_EQ(CodeOf(Framed("")), absl::StatusCode::kOk);
  EXPECT_EQ(CodeOf(""), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(Framed("a") + Framed("b")), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(Framed("") + "x"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(Framed("hello").substr(0, 7)), absl::StatusCode::kInternal);
  EXPECT_EQ(CodeOf(Framed("hello!")), absl::StatusCode::kResourceExhausted);
}

TEST(GrpcWireTest, CompressedMessagesAreRefused) {
  EXPECT_EQ(CodeOf(Framed("a", 1), true), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(CodeOf(Framed("a", 1), false), absl::StatusCode::kInternal);
  EXPECT_EQ(CodeOf(Framed("a", 2), true), absl::StatusCode::kInternal);
  EXPECT_EQ(CodeOf(Framed("a", 0), true), absl::StatusCode::kOk);
}

}  // namespace
}  // namespace kdb::http2

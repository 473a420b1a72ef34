#include "pkg/net/frame.h"

#include <gtest/gtest.h>

#include "pkg/net/frame_reader.h"

namespace kdb::net {
namespace {

using std::string_literals::operator""s;

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (unsigned char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += {kDigits[c >> 4], kDigits[c & 15]};
  }
  return hex;
}

TEST(PrefaceTest, Bytes) {
  auto raft = Preface::Encode(Service::kRaft);
  EXPECT_EQ(std::string(raft.data(), raft.size()), "KDB1R\0\0\0"s);
  auto commands = Preface::Encode(Service::kCommands);
  EXPECT_EQ(std::string(commands.data(), commands.size()), "KDB1C\0\0\0"s);
  EXPECT_EQ(*Preface::Decode({raft.data(), raft.size()}), Service::kRaft);
  EXPECT_EQ(*Preface::Decode({commands.data(), commands.size()}), Service::kCommands);
}

TEST(PrefaceTest, IsKnownByItsFirstBytes) {
  for (std::string_view front : {"", "K", "KD", "KDB", "KDB9x"}) {
    EXPECT_TRUE(Preface::Matches(front)) << front;
  }
  for (const std::string& other : {"k"s, "KX"s, "KDX"s, "PRI * HT"s, "\0KDB"s}) {
    EXPECT_FALSE(Preface::Matches(other)) << other;
  }
}

TEST(PrefaceTest, RefusesOtherVersionsAndServices) {
  absl::Status version = Preface::Decode("KDB2R\0\0\0"s).status();
  EXPECT_EQ(version.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(version.message(), "this server speaks version 1 of the frame protocol");
  absl::Status service = Preface::Decode("KDB1X\0\0\0"s).status();
  EXPECT_EQ(service.code(), absl::StatusCode::kUnimplemented);
}

TEST(FrameTest, Bytes) {
  EXPECT_EQ(Hex(ToFrame("hello")), "05000000a1b1174e68656c6c6f");
  EXPECT_EQ(Hex(ToFrame("")), "00000000c74b6748");
  EXPECT_EQ(Hex(ToErrorFrame(absl::NotFoundError("no"))), "03000080a4f89621056e6f");
}

TEST(FrameTest, OverTheLimitIsABug) {
  EXPECT_EQ(ToFrame(std::string(kMaxFrameBytes, 'x')).size(), FrameHeader::kBytes + kMaxFrameBytes);
  EXPECT_DEATH(ToFrame(std::string(kMaxFrameBytes + 1, 'x')), "over its limit");
}

TEST(ErrorFrameTest, KeepsCodeAndMessage) {
  for (int code = 1; code <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++code) {
    absl::Status status(static_cast<absl::StatusCode>(code), "why \xff\n");
    std::string frame = ToErrorFrame(status);
    EXPECT_TRUE(FrameHeader::Decode(frame).error);
    EXPECT_EQ(DecodeError(std::string_view(frame).substr(FrameHeader::kBytes)), status);
  }
}

TEST(ErrorFrameTest, CutsLongMessages) {
  std::string frame = ToErrorFrame(absl::InternalError(std::string(1 << 20, 'x')));
  EXPECT_EQ(frame.size(), FrameHeader::kBytes + kMaxHelloBytes);
}

TEST(ErrorFrameTest, OfUnknownKindIsStillAnError) {
  for (const std::string& body : {""s, "\0ok"s, "\x11new"s, "\x80old"s, "\xffx"s}) {
    EXPECT_EQ(DecodeError(body).code(), absl::StatusCode::kUnknown) << Hex(body);
  }
}

}  // namespace
}  // namespace kdb::net

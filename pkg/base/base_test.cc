#include <gtest/gtest.h>

#include <string>

#include "pkg/base/coding.h"
#include "pkg/base/crc16.h"
#include "pkg/base/crc32c.h"
#include "pkg/base/siphash.h"

namespace kdb {
namespace {

TEST(Crc32cTest, KnownVectors) {  // RFC 3720, appendix B.4
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(ExtendCrc32c(Crc32c("12345"), "6789"), Crc32c("123456789"));
}

TEST(Crc16Test, KnownVector) { EXPECT_EQ(Crc16("123456789"), 0x31c3); }

TEST(SipHashTest, KnownVector) {  // appendix A of the paper
  SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string in;
  for (int i = 0; i < 15; ++i) in.push_back(static_cast<char>(i));
  EXPECT_EQ(SipHash24(key, in), 0xa129ca6149be45e5u);
}

TEST(CodingTest, VarintRoundTrip) {
  for (uint64_t v : {0ull, 1ull, 127ull, 128ull, 16384ull, ~0ull}) {
    std::string s;
    AppendVarint(s, v);
    ByteReader r(s);
    EXPECT_EQ(r.Varint(), v);
    EXPECT_TRUE(r.done());
    ByteReader cut(std::string_view(s).substr(0, s.size() - 1));
    cut.Varint();
    EXPECT_FALSE(cut.ok());
  }
}

TEST(CodingTest, VarintOverflowFails) {
  ByteReader r(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  r.Varint();
  EXPECT_FALSE(r.ok());
}

TEST(CodingTest, BigEndianKeepsNumericOrder) {
  std::string a, b;
  AppendBig<uint32_t>(a, 255);
  AppendBig<uint32_t>(b, 256);
  EXPECT_LT(a, b);
}

TEST(CodingTest, LengthBeyondInputFails) {
  ByteReader r(
      std::string_view("\x05"
                       "abc",
                       4));
  EXPECT_TRUE(r.LengthPrefixed().empty());
  EXPECT_FALSE(r.ok());
}

}  // namespace
}  // namespace kdb

#include "pkg/resp/reply_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "pkg/resp/reply_writer.h"

namespace kdb::resp {
namespace {

using Type = Reply::Type;

TEST(ReadReply, ReadsScalars) {
  const struct {
    const char* in;
    Type type;
    const char* text;
    int64_t integer;
  } kCases[] = {
      {"+OK\r\n", Type::kSimple, "OK", 0},
      {"+\r\n", Type::kSimple, "", 0},
      {"-ERR no\r\n", Type::kError, "ERR no", 0},
      {":-12\r\n", Type::kInteger, "", -12},
      {"$3\r\na\r\n\r\n", Type::kBulk, "a\r\n", 0},
      {"$-1\r\n", Type::kNull, "", 0},
      {"*-1\r\n", Type::kNull, "", 0},
      {"_\r\n", Type::kNull, "", 0},
      {",-1.5e+10\r\n", Type::kDouble, "-1.5e+10", 0},
      {",inf\r\n", Type::kDouble, "inf", 0},
      {"#t\r\n", Type::kBoolean, "", 1},
      {"#f\r\n", Type::kBoolean, "", 0},
      {"(-123456789012345678901234567890\r\n", Type::kBigNumber, "-123456789012345678901234567890",
       0},
      {"=6\r\ntxt:ab\r\n", Type::kVerbatim, "txt:ab", 0},
  };
  for (const auto& c : kCases) {
    const auto reply = ReadReply(c.in);
    ASSERT_TRUE(reply) << c.in;
    EXPECT_EQ(reply->type, c.type) << c.in;
    EXPECT_EQ(reply->text, c.text) << c.in;
    EXPECT_EQ(reply->integer, c.integer) << c.in;
  }
}

TEST(ReadReply, ReadsNestedAggregates) {
  const auto reply =
      ReadReply("*4\r\n%1\r\n+k\r\n:1\r\n~2\r\n:2\r\n$-1\r\n*0\r\n>1\r\n#t\r\n+next\r\n");
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->elements.size(), 4u);
  EXPECT_EQ(reply->elements[0].type, Type::kMap);
  ASSERT_EQ(reply->elements[0].elements.size(), 2u);
  EXPECT_EQ(reply->elements[0].elements[1].integer, 1);
  EXPECT_EQ(reply->elements[1].type, Type::kSet);
  EXPECT_EQ(reply->elements[1].elements[1].type, Type::kNull);
  EXPECT_TRUE(reply->elements[2].elements.empty());
  EXPECT_EQ(reply->elements[3].type, Type::kPush);
}

TEST(ReplyLength, EveryPrefixNeedsMoreAndWhatFollowsDoesNotCount) {
  const std::string whole =
      "*5\r\n%1\r\n$1\r\nk\r\n:-1\r\n=6\r\ntxt:ab\r\n,1.5\r\n~1\r\n(12\r\n*2\r\n_\r\n#f\r\n";
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_EQ(ReplyLength(whole.substr(0, n)), 0u) << n;
  EXPECT_EQ(ReplyLength(whole), whole.size());
  EXPECT_EQ(ReplyLength(whole + "?"), whole.size());
}

TEST(ReplyLength, RefusesMalformedReplies) {
  for (const char* in : {"x",
                         "\r\n",
                         "+a\n",
                         "+a\rb",
                         ":\r\n",
                         ":1a\r\n",
                         ":+1\r\n",
                         ":01\r\n",
                         "$-2\r\n",
                         "$x\r\n",
                         "$1\r\nab\r\n",
                         "$1\r\na\rx",
                         "*-2\r\n",
                         "%-1\r\n",
                         "~-1\r\n",
                         "=-1\r\n",
                         "=3\r\ntxt\r\n",
                         "=4\r\ntxtx\r\n",
                         "#x\r\n",
                         "#\r\n",
                         "_x\r\n",
                         ",\r\n",
                         ",abc\r\n",
                         "(\r\n",
                         "(1x\r\n",
                         "*1\r\n?",
                         "$99999999999999999999\r\n",
                         ":1234567890123456789012",
                         "*1099511627777\r\n"}) {
    EXPECT_EQ(ReplyLength(in), std::nullopt) << in;
    EXPECT_FALSE(ReadReply(in)) << in;
  }
}

TEST(ReplyLength, BoundsNesting) {
  std::string nested;
  for (int i = 0; i < 32; ++i) nested += "*1\r\n";
  EXPECT_EQ(ReplyLength(nested + ":1\r\n"), nested.size() + 4);
  EXPECT_TRUE(ReadReply(nested + ":1\r\n"));
  EXPECT_EQ(ReplyLength(nested + "*1\r\n:1\r\n"), std::nullopt);
}

TEST(ReplyLength, AnnouncedSizesTakeNoMemory) {
  EXPECT_EQ(ReplyLength("*1000000000000\r\n"), 0u);
  EXPECT_EQ(ReplyLength("$1000000000000\r\n"), 0u);
}

TEST(ReadReply, ReadsWhatTheWriterWrites) {
  for (const Version version : {Version::kResp2, Version::kResp3}) {
    std::string out;
    ReplyWriter writer(version, out);
    writer.Map(4);
    writer.Bulk("double");
    writer.Double(0.1);
    writer.Bulk("null");
    writer.NullArray();
    writer.Verbatim("txt", "text");
    writer.Boolean(true);
    writer.BigNumber("12");
    writer.Error("ERR x");
    const auto reply = ReadReply(out);
    ASSERT_TRUE(reply);
    EXPECT_EQ(ReplyLength(out), out.size());
    ASSERT_EQ(reply->elements.size(), 8u);
    EXPECT_EQ(reply->elements[1].text, "0.10000000000000001");
    EXPECT_EQ(reply->elements[7].type, Type::kError);
  }
}

}  // namespace
}  // namespace kdb::resp

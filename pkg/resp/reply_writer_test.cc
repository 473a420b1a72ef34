#include "pkg/resp/reply_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

namespace kdb::resp {
namespace {

std::string Written(Version version, const std::function<void(ReplyWriter&)>& write) {
  std::string out;
  ReplyWriter writer(version, out);
  write(writer);
  return out;
}

struct Golden {
  std::function<void(ReplyWriter&)> write;
  std::string resp2;
  std::string resp3;
};

void Expect(const Golden& golden) {
  EXPECT_EQ(Written(Version::kResp2, golden.write), golden.resp2);
  EXPECT_EQ(Written(Version::kResp3, golden.write), golden.resp3);
}

void ExpectSame(const std::function<void(ReplyWriter&)>& write, const std::string& bytes) {
  Expect({write, bytes, bytes});
}

TEST(ReplyWriter, WritesWhatBothVersionsShare) {
  ExpectSame([](auto& w) { w.Simple("PONG"); }, "+PONG\r\n");
  ExpectSame([](auto& w) { w.Ok(); }, "+OK\r\n");
  ExpectSame([](auto& w) { w.Integer(std::numeric_limits<int64_t>::min()); },
             ":-9223372036854775808\r\n");
  ExpectSame([](auto& w) { w.Bulk(std::string_view("a\0\r\n", 4)); },
             std::string("$4\r\na\0\r\n\r\n", 10));
  ExpectSame([](auto& w) { w.Bulk(""); }, "$0\r\n\r\n");
  ExpectSame([](auto& w) { w.Array(2); }, "*2\r\n");
}

TEST(ReplyWriter, KeepsErrorsOnOneLine) {
  ExpectSame([](auto& w) { w.Error("ERR a\r\nb\n"); }, "-ERR a  b\r\n");
}

TEST(ReplyWriter, WritesNulls) {
  Expect({[](auto& w) { w.Null(); }, "$-1\r\n", "_\r\n"});
  Expect({[](auto& w) { w.NullArray(); }, "*-1\r\n", "_\r\n"});
}

TEST(ReplyWriter, WritesAggregatesOfResp3AsArraysInResp2) {
  Expect({[](auto& w) { w.Map(3); }, "*6\r\n", "%3\r\n"});
  Expect({[](auto& w) { w.Set(3); }, "*3\r\n", "~3\r\n"});
  Expect({[](auto& w) { w.Push(3); }, "*3\r\n", ">3\r\n"});
}

TEST(ReplyWriter, WritesScalarsOfResp3) {
  Expect({[](auto& w) { w.Boolean(true); }, ":1\r\n", "#t\r\n"});
  Expect({[](auto& w) { w.Boolean(false); }, ":0\r\n", "#f\r\n"});
  Expect({[](auto& w) { w.BigNumber("-123"); }, "$4\r\n-123\r\n", "(-123\r\n"});
  Expect({[](auto& w) { w.Verbatim("txt", "ab"); }, "$2\r\nab\r\n", "=6\r\ntxt:ab\r\n"});
}

TEST(ReplyWriter, FormatsDoublesAsRedis70) {
  Expect({[](auto& w) { w.Double(3); }, "$1\r\n3\r\n", ",3\r\n"});
  Expect({[](auto& w) { w.Double(0.1); }, "$19\r\n0.10000000000000001\r\n",
          ",0.10000000000000001\r\n"});
  Expect({[](auto& w) { w.Double(-1e300); }, "$24\r\n-1.0000000000000001e+300\r\n",
          ",-1.0000000000000001e+300\r\n"});
  Expect({[](auto& w) { w.Double(INFINITY); }, "$3\r\ninf\r\n", ",inf\r\n"});
  Expect({[](auto& w) { w.Double(-INFINITY); }, "$4\r\n-inf\r\n", ",-inf\r\n"});
  Expect({[](auto& w) { w.Double(-std::nan("")); }, "$3\r\nnan\r\n", ",nan\r\n"});
}

}  // namespace
}  // namespace kdb::resp

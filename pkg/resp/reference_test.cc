// Compares the request parser and the reply writer with redis-server.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "pkg/resp/reference_redis.h"
#include "pkg/resp/reply_writer.h"
#include "pkg/resp/request_parser.h"

namespace kdb::resp {
namespace {

// What a server with this parser and an ECHO that joins its arguments would say to each request.
std::vector<std::string> OurReplies(std::string_view input) {
  RequestParser parser({.max_bulk_bytes = 512 << 20, .max_request_bytes = 1 << 30});
  std::vector<std::string> replies;
  for (;;) {
    std::string out;
    ReplyWriter writer(Version::kResp2, out);
    const RequestParser::Outcome outcome = parser.Parse(input);
    if (outcome == RequestParser::Outcome::kNeedMore) return replies;
    if (outcome == RequestParser::Outcome::kError) {
      writer.Error(parser.error());
      replies.push_back(out);
      return replies;
    }
    input.remove_prefix(parser.consumed());
    if (parser.args().empty()) continue;
    writer.Bulk(parser.args().at(1));
    replies.push_back(out);
  }
}

TEST(Reference, RedisServerUnderstandsTheSame) {
  const ReferenceRedis redis;
  const std::string long_line(70'000, '1');
  const std::string inputs[] = {
      "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n",
      "*2\r\n$4\r\nECHO\r\n$0\r\n\r\necho x\r\n",
      "*2\r\n$4\r\nECHOxx$1\rya!!echo after\n",
      "\r\n\n  \r\n*0\r\n*-1\r\n*-5\r\necho here\r\n",
      "echo \"\\x41\\x4g\\n\\t\\b\\a\\q\\\\\"\r\n",
      "echo 'a\\'b\\n'\necho \"\"\n echo \va\n",
      "echo a\"b c\"\r\necho '\"'\r\n echo\tx \r\n",
      "echo \"a\r\n",
      "echo 'a'b\r\n",
      "echo \"a\"b\r\n",
      "echo ok\r\n*x\r\n",
      "*\r\n",
      "*01\r\n",
      "*+1\r\n",
      "*-0\r\n",
      "* 1\r\n",
      "*2147483648\r\n",
      "*9223372036854775808\r\n",
      "*1\r\n\r\n",
      "*1\r\n4\r\n",
      "*1\r\n:4\r\n",
      "*1\r\n$\r\n",
      "*1\r\n$-1\r\n",
      "*1\r\n$04\r\n",
      "*1\r\n$4 \r\n",
      "*1\r\n$536870913\r\n",
      long_line,
      "*" + long_line,
      "*1\r\n$" + long_line,
  };
  for (const std::string& input : inputs) {
    ReferenceConnection connection(redis.socket_path());
    connection.Send(input);
    const std::vector<std::string> ours = OurReplies(input);
    EXPECT_FALSE(ours.empty()) << input.substr(0, 80);
    for (const std::string& reply : ours) {
      EXPECT_EQ(reply, connection.ReadReply()) << input.substr(0, 80);
    }
  }
}

TEST(Reference, RedisServerWritesTheSameReplies) {
  const ReferenceRedis redis;
  const struct {
    const char* name;  // of DEBUG PROTOCOL
    std::function<void(ReplyWriter&)> write;
  } kReplies[] = {
      {"string", [](auto& w) { w.Bulk("Hello World"); }},
      {"integer", [](auto& w) { w.Integer(12345); }},
      {"double", [](auto& w) { w.Double(3.141); }},
      {"null", [](auto& w) { w.Null(); }},
      {"true", [](auto& w) { w.Boolean(true); }},
      {"false", [](auto& w) { w.Boolean(false); }},
      {"bignum", [](auto& w) { w.BigNumber("1234567999999999999999999999999999999"); }},
      {"verbatim", [](auto& w) { w.Verbatim("txt", "This is a verbatim\nstring"); }},
      {"array",
       [](auto& w) {
         w.Array(3);
         for (int i = 0; i < 3; ++i) w.Integer(i);
       }},
      {"set",
       [](auto& w) {
         w.Set(3);
         for (int i = 0; i < 3; ++i) w.Integer(i);
       }},
      {"map",
       [](auto& w) {
         w.Map(3);
         for (int i = 0; i < 3; ++i) {
           w.Integer(i);
           w.Boolean(i == 1);
         }
       }},
  };
  for (const Version version : {Version::kResp2, Version::kResp3}) {
    ReferenceConnection connection(redis.socket_path());
    connection.Command(version == Version::kResp2 ? "HELLO 2\r\n" : "HELLO 3\r\n");
    for (const auto& reply : kReplies) {
      std::string ours;
      ReplyWriter writer(version, ours);
      reply.write(writer);
      EXPECT_EQ(ours, connection.Command(fmt::format("DEBUG PROTOCOL {}\r\n", reply.name)));
    }
  }
}

}  // namespace
}  // namespace kdb::resp

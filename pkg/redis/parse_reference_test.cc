// Compares the argument parsers with redis-server on generated arguments.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/redis/glob.h"
#include "pkg/redis/parse.h"
#include "pkg/resp/reference_redis.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::redis {
namespace {

constexpr uint64_t kSeed = 20'240'607;

using Request = std::vector<std::string>;

class ParseReference : public testing::Test {
 protected:
  ParseReference() : connection_(redis_.socket_path()), random_(kSeed) {
    RecordProperty("seed", std::to_string(kSeed));
  }

  // Sends all requests at once: thousands of pairs take a fraction of a second.
  std::vector<std::string> Replies(const std::vector<Request>& requests) {
    std::vector<std::string> replies;
    for (size_t begin = 0; begin < requests.size(); begin += kBatch) {
      const size_t end = std::min(begin + kBatch, requests.size());
      std::string bytes;
      resp::ReplyWriter writer(resp::Version::kResp2, bytes);
      for (size_t i = begin; i < end; ++i) {
        writer.Array(requests[i].size());
        for (const std::string& arg : requests[i]) writer.Bulk(arg);
      }
      connection_.Send(bytes);
      for (size_t i = begin; i < end; ++i) replies.push_back(connection_.ReadReply());
    }
    return replies;
  }

  const std::string& Pick(const std::vector<std::string>& choices) {
    return choices[random_.Uniform(choices.size())];
  }

  std::string RandomText(std::string_view alphabet, size_t max_size) {
    std::string text;
    for (size_t n = random_.Uniform(max_size + 1); n > 0; --n) {
      text += alphabet[random_.Uniform(alphabet.size())];
    }
    return text;
  }

  static constexpr size_t kBatch = 100;
  resp::ReferenceRedis redis_;
  resp::ReferenceConnection connection_;
  Random random_;
};

std::vector<std::string_view> Views(const Request& request) {
  return {request.begin(), request.end()};
}

std::string ErrorLine(const absl::Status& status) {
  std::string line;
  resp::ReplyWriter writer(resp::Version::kResp2, line);
  if (!status.ok()) writer.Error(ErrorText(status));
  return line;
}

const std::vector<std::string> kTimes = {
    "10",  "1",   "0",    "-1",  "100000", "9223372036854775",    "9223372036854775807",
    "1.5", "abc", "-100", "007", "",       "-9223372036854775808"};

TEST_F(ParseReference, SetAndGetexOptions) {
  const std::vector<std::string> options = {"NX", "xx",   "GET",  "KEEPTTL", "PERSIST", "EX",
                                            "px", "EXAT", "PXAT", "foo",     "",        "10"};
  std::vector<Request> requests;
  for (int i = 0; i < 4'000; ++i) {
    const bool set = random_.Uniform(2) == 0;
    Request request = set ? Request{"SET", "k", "v"} : Request{"GETEX", "there"};
    for (uint64_t n = random_.Uniform(4); n > 0; --n) {
      request.push_back(Pick(options));
      if (random_.Uniform(2) == 0) request.push_back(Pick(kTimes));
    }
    requests.push_back({"SET", "there", "v"});
    requests.push_back(request);
  }
  const std::vector<std::string> replies = Replies(requests);
  for (size_t i = 1; i < requests.size(); i += 2) {
    const auto args = Views(requests[i]);
    const bool set = args[0] == "SET";
    absl::Status status;
    Expiry expiry;
    if (set) {
      const auto parsed = ParseSetOptions(args);
      status = parsed.status();
      if (parsed.ok()) expiry = parsed->expiry;
    } else {
      const auto parsed = ParseGetexOptions(args);
      status = parsed.status();
      if (parsed.ok()) expiry = *parsed;
    }
    if (status.ok() && expiry.has_time()) {
      status = ExpiryMillis(expiry, 1'700'000'000'000, set ? "set" : "getex").status();
    }
    const std::string theirs = replies[i][0] == '-' ? replies[i] : "";
    ASSERT_EQ(ErrorLine(status), theirs) << testing::PrintToString(requests[i]);
  }
}

TEST_F(ParseReference, ExpireOptions) {
  const struct {
    const char* name = nullptr;
    ExpireUnit unit;
  } kCommands[] = {{"expire", {.seconds = true}},
                   {"pexpire", {}},
                   {"expireat", {.seconds = true, .absolute = true}},
                   {"pexpireat", {.absolute = true}}};
  const std::vector<std::string> options = {"NX", "xx", "GT", "lt", "Lt", "gt", "foo", "a\n"};
  std::vector<Request> requests;
  std::vector<absl::Status> ours;
  for (int i = 0; i < 3'000; ++i) {
    const auto& command = kCommands[random_.Uniform(4)];
    Request request = {command.name, "k", Pick(kTimes)};
    for (uint64_t n = random_.Uniform(4); n > 0; --n) request.push_back(Pick(options));
    ours.push_back(
        ParseExpire(Views(request), command.name, command.unit, 1'700'000'000'000).status());
    requests.push_back(request);
  }
  const std::vector<std::string> replies = Replies(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string theirs = replies[i][0] == '-' ? replies[i] : "";
    ASSERT_EQ(ErrorLine(ours[i]), theirs) << testing::PrintToString(requests[i]);
  }
}

TEST_F(ParseReference, ScanOptions) {
  const std::vector<std::string> words = {"COUNT", "match", "TYPE", "foo",
                                          "10",    "0",     "-1",   "string"};
  const std::vector<std::string> cursors = {"0",
                                            "1",
                                            "-1",
                                            "+5",
                                            " 1",
                                            "1 ",
                                            "x",
                                            "",
                                            "00",
                                            "0x1",
                                            "18446744073709551615",
                                            "18446744073709551616"};
  std::vector<Request> requests;
  for (int i = 0; i < 3'000; ++i) {
    Request request = {"SCAN", Pick(cursors)};
    for (uint64_t n = random_.Uniform(6); n > 0; --n) request.push_back(Pick(words));
    requests.push_back(request);
  }
  const std::vector<std::string> replies = Replies(requests);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string theirs = replies[i][0] == '-' ? replies[i] : "";
    ASSERT_EQ(ErrorLine(ParseScan(Views(requests[i])).status()), theirs)
        << testing::PrintToString(requests[i]);
  }
}

TEST_F(ParseReference, Globs) {
  std::vector<Request> requests;
  for (int i = 0; i < 6'000; ++i) {
    std::string text = RandomText("abcABC]-^\\[\x80\xff", 6);
    if (text.empty()) text = "a";
    requests.push_back({"FLUSHALL"});
    requests.push_back({"SET", text, "v"});
    requests.push_back({"KEYS", RandomText("aabcABC**??[[]]--^\\\x80\xff", 10)});
  }
  const std::vector<std::string> replies = Replies(requests);
  int matches = 0;
  for (size_t i = 0; i < requests.size(); i += 3) {
    const std::string& text = requests[i + 1][1];
    const std::string& pattern = requests[i + 2][1];
    const bool theirs = replies[i + 2] != "*0\r\n";
    ASSERT_EQ(GlobMatch(pattern, text), theirs) << testing::PrintToString(requests[i + 2]) << text;
    if (theirs) {
      bool exact = false;
      const std::string prefix = GlobPrefix(pattern, &exact);
      EXPECT_TRUE(text.starts_with(prefix)) << pattern;
      EXPECT_TRUE(!exact || text == prefix) << pattern;
      ++matches;
    }
  }
  EXPECT_GT(matches, 100);
}

TEST_F(ParseReference, Integers) {
  std::vector<Request> requests;
  for (int i = 0; i < 4'000; ++i) {
    std::string number = RandomText("0123456789-+ .", 4);
    if (random_.Uniform(4) == 0) number += std::to_string(random_.Next());
    requests.push_back({"SET", "n", "0"});
    requests.push_back({"INCRBY", "n", number});
  }
  const std::vector<std::string> replies = Replies(requests);
  for (size_t i = 1; i < requests.size(); i += 2) {
    const auto value = IntegerArgument(requests[i][2]);
    const std::string ours =
        value.ok() ? ":" + std::to_string(*value) + "\r\n" : ErrorLine(value.status());
    ASSERT_EQ(ours, replies[i]) << requests[i][2];
  }
}

TEST_F(ParseReference, Floats) {
  const std::vector<std::string> special = {"0x1p3",   "1e400",   "1e4932",
                                            "1e5000",  "-1e5000", "1e-5000",
                                            "1e-4940", "3.0e3",   "+1.5",
                                            "-0",      " 1",      "1 ",
                                            "",        "nan",     "1e",
                                            ".5",      "5.",      "0.1",
                                            "1e17",    "3.14",    "infinit",
                                            "1,5",     "--1",     "1e-17",
                                            "5e-18",   "-5e-18",  "0.30000000000000004"};
  std::vector<Request> requests;
  for (int i = 0; i < 4'000; ++i) {
    const std::string a = random_.Uniform(3) == 0 ? Pick(special) : RandomText("0123456789-.e", 6);
    const std::string b = random_.Uniform(3) == 0 ? Pick(special) : RandomText("0123456789-.e", 6);
    requests.push_back({"SET", "f", a});
    requests.push_back({"INCRBYFLOAT", "f", b});
  }
  const std::vector<std::string> replies = Replies(requests);
  for (size_t i = 1; i < requests.size(); i += 2) {
    const auto a = FloatArgument(requests[i - 1][2]);
    const auto b = FloatArgument(requests[i][2]);
    std::string ours;
    resp::ReplyWriter writer(resp::Version::kResp2, ours);
    if (!a.ok() || !b.ok()) {
      writer.Error(ErrorText(NotAFloat()));
    } else if (!std::isfinite(*a + *b)) {
      writer.Error("ERR increment would produce NaN or Infinity");
    } else {
      writer.Bulk(FormatLongDouble(*a + *b));
    }
    ASSERT_EQ(ours, replies[i]) << requests[i - 1][2] << " + " << requests[i][2];
  }
}

}  // namespace
}  // namespace kdb::redis

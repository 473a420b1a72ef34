#include "pkg/resp/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kdb::resp {
namespace {

using Outcome = RequestParser::Outcome;
using testing::ElementsAre;
using testing::IsEmpty;

// Everything that a stream of bytes means: the requests, and the error that ends it.
struct Outcomes {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  size_t unread = 0;
  bool operator==(const Outcomes&) const = default;
};

// Feeds the pieces one by one from a buffer that moves each time.
Outcomes Feed(const std::vector<std::string_view>& pieces, const RequestLimits& limits = {}) {
  Outcomes result;
  RequestParser parser(limits);
  std::string buffer;
  for (const std::string_view piece : pieces) {
    buffer = std::string(buffer) + std::string(piece);
    for (;;) {
      const Outcome outcome = parser.Parse(buffer);
      if (outcome == Outcome::kError) {
        result.error = parser.error();
        return result;
      }
      if (outcome == Outcome::kNeedMore) break;
      result.requests.emplace_back(parser.args().begin(), parser.args().end());
      buffer.erase(0, parser.consumed());
    }
  }
  result.unread = buffer.size();
  return result;
}

std::string ErrorOf(std::string_view input, const RequestLimits& limits = {}) {
  return Feed({input}, limits).error;
}

TEST(RequestParser, ReadsPipelinedRequestsOfBothForms) {
  const Outcomes outcomes =
      Feed({"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET"});
  ASSERT_EQ(outcomes.requests.size(), 3u);
  EXPECT_THAT(outcomes.requests[0], ElementsAre("GET", "k"));
  EXPECT_THAT(outcomes.requests[1], ElementsAre("PING"));
  EXPECT_THAT(outcomes.requests[2], ElementsAre("PING"));
  EXPECT_EQ(outcomes.unread, 11u);
}

TEST(RequestParser, TakesAnyByteInBulks) {
  const std::string bytes("\r\n\0$*", 5);
  const Outcomes outcomes = Feed({"*2\r\n$5\r\n" + bytes + "\r\n$0\r\n\r\n"});
  ASSERT_EQ(outcomes.requests.size(), 1u);
  EXPECT_THAT(outcomes.requests[0], ElementsAre(bytes, ""));
}

TEST(RequestParser, GivesEmptyRequestsForBareNewlinesAndEmptyArrays) {
  for (const char* input : {"\r\n", "\n", "  \t\r\n", "*0\r\n", "*-1\r\n", "*-2147483649\r\n"}) {
    const Outcomes outcomes = Feed({input});
    ASSERT_EQ(outcomes.requests.size(), 1u) << input;
    EXPECT_THAT(outcomes.requests[0], IsEmpty()) << input;
    EXPECT_EQ(outcomes.unread, 0u);
  }
}

TEST(RequestParser, ArgumentsAreViewsIntoTheInput) {
  const std::string input = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  RequestParser parser({});
  ASSERT_EQ(parser.Parse(input), Outcome::kRequest);
  EXPECT_EQ(parser.args()[0].data(), input.data() + 8);
  EXPECT_EQ(parser.args()[1].data(), input.data() + 17);
  EXPECT_EQ(parser.consumed(), input.size());

  ASSERT_EQ(parser.Parse("get key\n"), Outcome::kRequest);
  EXPECT_THAT(parser.args(), ElementsAre("get", "key"));
}

TEST(RequestParser, WordsErrorsAsRedis) {
  const struct {
    const char* input;
    const char* error;
  } kCases[] = {
      {"*x\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*01\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*+1\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*3000000000\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*99999999999999999999\r\n", "ERR Protocol error: invalid multibulk length"},
      {"*1\r\nxyz\r\n", "ERR Protocol error: expected '$', got 'x'"},
      {"*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"},
      {"*1\r\n$x\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$ 1\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$\r\n", "ERR Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "ERR Protocol error: invalid bulk length"},
      {"set \"a\r\n", "ERR Protocol error: unbalanced quotes in request"},
      {"set 'a'b\r\n", "ERR Protocol error: unbalanced quotes in request"},
  };
  for (const auto& c : kCases) EXPECT_EQ(ErrorOf(c.input), c.error) << c.input;
}

TEST(RequestParser, BoundsLinesThatDoNotEnd) {
  const std::string at(64 << 10, 'a');
  EXPECT_EQ(ErrorOf(at), "");
  EXPECT_EQ(ErrorOf(at + "a"), "ERR Protocol error: too big inline request");
  EXPECT_EQ(Feed({at + "\n"}).requests.size(), 1u);
  const std::string digits(64 << 10, '1');
  EXPECT_EQ(ErrorOf("*" + digits.substr(1)), "");
  EXPECT_EQ(ErrorOf("*" + digits), "ERR Protocol error: too big mbulk count string");
  EXPECT_EQ(ErrorOf("*1\r\n$" + digits.substr(1)), "");
  EXPECT_EQ(ErrorOf("*1\r\n$" + digits), "ERR Protocol error: too big bulk count string");
}

TEST(RequestParser, LimitsBulksArgumentsAndWholeRequests) {
  const RequestLimits limits{.max_bulk_bytes = 10, .max_request_bytes = 42, .max_arguments = 3};
  EXPECT_EQ(ErrorOf("*1\r\n$10\r\n", limits), "");
  EXPECT_EQ(ErrorOf("*1\r\n$11\r\n", limits), "ERR Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*3\r\n", limits), "");
  EXPECT_EQ(ErrorOf("*4\r\n", limits), "ERR Protocol error: invalid multibulk length");
  // 4 bytes of header, then 15 for each argument of nine bytes and 8 for one of two.
  const std::string two = "*3\r\n$9\r\n123456789\r\n$9\r\n123456789\r\n";
  EXPECT_EQ(ErrorOf(two + "$2\r\n", limits), "");
  EXPECT_EQ(ErrorOf(two + "$3\r\n", limits), "ERR Protocol error: too big request");
}

TEST(RequestParser, TakesOnlySmallRequestsBeforeAuthentication) {
  auto before_auth = [](std::string_view input) {
    RequestParser parser({});
    parser.set_authenticated(false);
    return parser.Parse(input) == Outcome::kError ? parser.error() : "";
  };
  EXPECT_EQ(before_auth("*10\r\n"), "");
  EXPECT_EQ(before_auth("*11\r\n"), "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(before_auth("*1\r\n$16384\r\n"), "");
  EXPECT_EQ(before_auth("*1\r\n$16385\r\n"), "ERR Protocol error: unauthenticated bulk length");
}

TEST(RequestParser, StaysFailed) {
  RequestParser parser({});
  ASSERT_EQ(parser.Parse("*x\r\n"), Outcome::kError);
  EXPECT_EQ(parser.Parse("PING\r\n"), Outcome::kError);
  EXPECT_EQ(parser.error(), "ERR Protocol error: invalid multibulk length");
}

TEST(RequestParser, SaysHowManyBytesAnUnfinishedBulkNeeds) {
  RequestParser parser({});
  const std::string input = "*2\r\n$3\r\nGET\r\n$100\r\nabc";
  ASSERT_EQ(parser.Parse(input.substr(0, 3)), Outcome::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), 0u);
  ASSERT_EQ(parser.Parse(input), Outcome::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), 13u + 6 + 100 + 2);
  ASSERT_EQ(parser.Parse(input + std::string(99, 'x')), Outcome::kRequest);
  EXPECT_EQ(parser.bytes_wanted(), 0u);
}

TEST(RequestParser, AnnouncedSizesTakeNoMemory) {
  RequestParser parser({});
  ASSERT_EQ(parser.Parse("*1048576\r\n$16777216\r\n"), Outcome::kNeedMore);
  EXPECT_EQ(parser.args().capacity(), 0u);
}

TEST(RequestParser, GivesMemoryOfBigRequestsBack) {
  RequestParser parser({});
  std::string big = "*100000\r\n";
  for (int i = 0; i < 100'000; ++i) big += "$1\r\nx\r\n";
  ASSERT_EQ(parser.Parse(big), Outcome::kRequest);
  ASSERT_EQ(parser.args().size(), 100'000u);
  ASSERT_EQ(parser.Parse(""), Outcome::kNeedMore);
  EXPECT_LE(parser.args().capacity(), 64u);
  EXPECT_LE(sizeof(parser), 512u);
}

// Whatever the cuts, a stream means the same.
class EverySplit : public testing::TestWithParam<std::string> {};

TEST_P(EverySplit, GivesTheSameOutcome) {
  const std::string& input = GetParam();
  const RequestLimits limits{.max_bulk_bytes = 64, .max_inline_bytes = 24};
  const Outcomes whole = Feed({input}, limits);
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < input.size(); ++i) {
    bytes.push_back(std::string_view(input).substr(i, 1));
    for (size_t j = i; j < input.size(); ++j) {
      const std::string_view view = input;
      ASSERT_EQ(Feed({view.substr(0, i), view.substr(i, j - i), view.substr(j)}, limits), whole)
          << "cut at " << i << " and " << j;
    }
  }
  EXPECT_EQ(Feed(bytes, limits), whole);
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, EverySplit,
    testing::Values("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
                    "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$12\r\nab\r\n$3\r\nxy\r\n\r\nPING\r\n",
                    "set k \"a b\\x41\\n\" 'it\\'s'\r\nget k\n\r\n\n*0\r\n*-1\r\nPING\n",
                    "PING\r\n*1\r\n$70\r\n", "*1\r\n!4\r\nPING\r\n", "PING\r\n*1x\r\n",
                    "echo \"unbalanced\r\nPING\r\n", "this inline request is too long for it\r\n",
                    "*1111111111111111111111111111111111111111", "echo exactly_twenty_fou\r\n",
                    "*1\r\n$11111111111111111111111111111\r\n",
                    "*1\r\n$4\rxPINGab*1\rx$2\r\nok\r\n"));

// Pieces of a big request must not make the cost quadratic.
TEST(RequestParser, DoesNotReadBulksAgain) {
  RequestParser parser({});
  const std::string head = "*2\r\n$4\r\nECHO\r\n$1000000\r\n";
  std::string input = head + std::string(1'000'002, 'x');
  ASSERT_EQ(parser.Parse(std::string_view(input).substr(0, head.size())), Outcome::kNeedMore);
  // Were the headers read again, this would be an error.
  std::fill(input.begin() + 1, input.begin() + static_cast<ptrdiff_t>(head.size()), '!');
  for (size_t n = head.size(); n < input.size(); n += 10'000) {
    ASSERT_EQ(parser.Parse(std::string_view(input).substr(0, n)), Outcome::kNeedMore);
  }
  ASSERT_EQ(parser.Parse(input), Outcome::kRequest);
  EXPECT_EQ(parser.args()[1].size(), 1'000'000u);
}

}  // namespace
}  // namespace kdb::resp

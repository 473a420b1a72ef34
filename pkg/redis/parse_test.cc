#include "pkg/redis/parse.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace kdb::redis {
namespace {

using Args = std::vector<std::string_view>;
constexpr int64_t kNow = 1'700'000'000'000;
constexpr int64_t kMaxInt = std::numeric_limits<int64_t>::max();

template <typename T>
std::string Error(const absl::StatusOr<T>& result) {
  return std::string(ErrorText(result.status()));
}

TEST(ParseSetOptions, ReadsEveryOption) {
  auto options = ParseSetOptions(Args{"set", "k", "v"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->condition, SetOptions::Condition::kAlways);
  EXPECT_EQ(options->expiry.kind, Expiry::Kind::kNone);
  EXPECT_FALSE(options->get);

  options = ParseSetOptions(Args{"set", "k", "v", "nx", "gEt", "px", "12"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->condition, SetOptions::Condition::kIfAbsent);
  EXPECT_TRUE(options->get);
  EXPECT_EQ(options->expiry.kind, Expiry::Kind::kMillis);
  EXPECT_EQ(options->expiry.time, "12");

  options = ParseSetOptions(Args{"set", "k", "v", "KEEPTTL", "XX"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->expiry.kind, Expiry::Kind::kKeep);
  EXPECT_EQ(options->condition, SetOptions::Condition::kIfPresent);
}

TEST(ParseSetOptions, TheLastOfTheSameOptionCounts) {
  const auto options = ParseSetOptions(Args{"set", "k", "v", "EX", "1", "EX", "2"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->expiry.time, "2");
}

TEST(ParseSetOptions, RefusesContradictionsAndMissingOperands) {
  for (const Args& tail : {Args{"NX", "XX"}, Args{"EX"}, Args{"EX", "1", "PX", "1"},
                           Args{"KEEPTTL", "EX", "1"}, Args{"PERSIST"}, Args{"1"}, Args{""}}) {
    Args args = {"set", "k", "v"};
    args.insert(args.end(), tail.begin(), tail.end());
    EXPECT_EQ(Error(ParseSetOptions(args)), "ERR syntax error") << tail[0];
  }
}

TEST(ParseGetexOptions, TakesPersistInsteadOfKeepttl) {
  EXPECT_EQ(ParseGetexOptions(Args{"getex", "k"})->kind, Expiry::Kind::kNone);
  EXPECT_EQ(ParseGetexOptions(Args{"getex", "k", "persist"})->kind, Expiry::Kind::kPersist);
  EXPECT_EQ(ParseGetexOptions(Args{"getex", "k", "PXAT", "5"})->kind, Expiry::Kind::kMillisAt);
  EXPECT_EQ(Error(ParseGetexOptions(Args{"getex", "k", "KEEPTTL"})), "ERR syntax error");
  EXPECT_EQ(Error(ParseGetexOptions(Args{"getex", "k", "EX", "1", "PERSIST"})), "ERR syntax error");
}

TEST(ExpiryMillis, ConvertsEveryUnit) {
  EXPECT_EQ(*ExpiryMillis({Expiry::Kind::kSeconds, "10"}, kNow, "set"), kNow + 10'000);
  EXPECT_EQ(*ExpiryMillis({Expiry::Kind::kMillis, "10"}, kNow, "set"), kNow + 10);
  EXPECT_EQ(*ExpiryMillis({Expiry::Kind::kSecondsAt, "10"}, kNow, "set"), 10'000);
  EXPECT_EQ(*ExpiryMillis({Expiry::Kind::kMillisAt, "10"}, kNow, "set"), 10);
}

TEST(ExpiryMillis, RefusesWhatIsNotAFutureTime) {
  const std::string invalid = "ERR invalid expire time in 'set' command";
  EXPECT_EQ(Error(ExpiryMillis({Expiry::Kind::kSeconds, "0"}, kNow, "set")), invalid);
  EXPECT_EQ(Error(ExpiryMillis({Expiry::Kind::kMillisAt, "-1"}, kNow, "set")), invalid);
  EXPECT_EQ(Error(ExpiryMillis({Expiry::Kind::kSeconds, "9223372036854776"}, kNow, "set")),
            invalid);
  EXPECT_EQ(Error(ExpiryMillis({Expiry::Kind::kMillis, "9223372036854775807"}, kNow, "set")),
            invalid);
  EXPECT_EQ(*ExpiryMillis({Expiry::Kind::kMillisAt, "9223372036854775807"}, kNow, "set"), kMaxInt);
  EXPECT_EQ(Error(ExpiryMillis({Expiry::Kind::kSeconds, "1.5"}, kNow, "set")),
            "ERR value is not an integer or out of range");
}

TEST(ParseExpire, GivesAnAbsoluteTime) {
  const ExpireUnit seconds{.seconds = true};
  const ExpireUnit millis_at{.absolute = true};
  EXPECT_EQ(ParseExpire(Args{"expire", "k", "10"}, "expire", seconds, kNow)->when_ms,
            kNow + 10'000);
  EXPECT_EQ(ParseExpire(Args{"expire", "k", "-10"}, "expire", seconds, kNow)->when_ms,
            kNow - 10'000);
  EXPECT_EQ(
      ParseExpire(Args{"pexpireat", "k", "-9223372036854775808"}, "pexpireat", millis_at, kNow)
          ->when_ms,
      std::numeric_limits<int64_t>::min());
  EXPECT_EQ(Error(ParseExpire(Args{"expire", "k", "9223372036854775"}, "expire", seconds, kNow)),
            "ERR invalid expire time in 'expire' command");
  EXPECT_EQ(Error(ParseExpire(Args{"pexpire", "k", "9223372036854775807"}, "pexpire", {}, kNow)),
            "ERR invalid expire time in 'pexpire' command");
}

TEST(ParseExpire, JudgesFlagsBeforeTheTime) {
  EXPECT_EQ(Error(ParseExpire(Args{"expire", "k", "x", "foo"}, "expire", {}, kNow)),
            "ERR Unsupported option foo");
  EXPECT_EQ(Error(ParseExpire(Args{"expire", "k", "x", "NX", "gt"}, "expire", {}, kNow)),
            "ERR NX and XX, GT or LT options at the same time are not compatible");
  EXPECT_EQ(Error(ParseExpire(Args{"expire", "k", "x", "GT", "LT"}, "expire", {}, kNow)),
            "ERR GT and LT options at the same time are not compatible");
  EXPECT_TRUE(ParseExpire(Args{"expire", "k", "1", "XX", "LT", "xx"}, "expire", {}, kNow).ok());
}

TEST(ExpireAllowed, TakesNoExpiryForTheLatest) {
  EXPECT_TRUE(ExpireAllowed({}, std::nullopt, 1));
  EXPECT_TRUE(ExpireAllowed({.nx = true}, std::nullopt, 1));
  EXPECT_FALSE(ExpireAllowed({.nx = true}, 5, 1));
  EXPECT_FALSE(ExpireAllowed({.xx = true}, std::nullopt, 1));
  EXPECT_TRUE(ExpireAllowed({.xx = true}, 5, 1));
  EXPECT_FALSE(ExpireAllowed({.gt = true}, std::nullopt, 9));
  EXPECT_FALSE(ExpireAllowed({.gt = true}, 5, 5));
  EXPECT_TRUE(ExpireAllowed({.gt = true}, 5, 6));
  EXPECT_TRUE(ExpireAllowed({.lt = true}, std::nullopt, 9));
  EXPECT_FALSE(ExpireAllowed({.lt = true}, 5, 5));
  EXPECT_TRUE(ExpireAllowed({.lt = true}, 5, 4));
  EXPECT_FALSE(ExpireAllowed({.xx = true, .lt = true}, std::nullopt, 4));
}

TEST(ParseScan, ReadsOptions) {
  const auto options = ParseScan(Args{"scan", "17", "match", "a*", "COUNT", "5", "type", "string"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->cursor, 17u);
  EXPECT_EQ(options->match, "a*");
  EXPECT_EQ(options->count, 5);
  EXPECT_EQ(options->type, "string");
}

TEST(ParseScan, RefusesInRedissOrder) {
  EXPECT_EQ(Error(ParseScan(Args{"scan", "x", "COUNT", "x"})), "ERR invalid cursor");
  EXPECT_EQ(Error(ParseScan(Args{"scan", "0", "COUNT", "x", "foo", "1"})),
            "ERR value is not an integer or out of range");
  EXPECT_EQ(Error(ParseScan(Args{"scan", "0", "COUNT", "0"})), "ERR syntax error");
  EXPECT_EQ(Error(ParseScan(Args{"scan", "0", "COUNT"})), "ERR syntax error");
}

TEST(FormatLongDouble, HasNoTrailingZeros) {
  EXPECT_EQ(FormatLongDouble(3), "3");
  EXPECT_EQ(FormatLongDouble(-0.0L), "0");
  EXPECT_EQ(FormatLongDouble(10.5L), "10.5");
  EXPECT_EQ(FormatLongDouble(100), "100");
  EXPECT_EQ(FormatLongDouble(5000.0L / 3), "1666.66666666666666663");
  EXPECT_EQ(FormatLongDouble(1e-18L), "0");
  EXPECT_EQ(FormatLongDouble(std::numeric_limits<long double>::max()).size(), 4933u);
}

TEST(EqualsIgnoreCase, FoldsOnlyAsciiLetters) {
  EXPECT_TRUE(EqualsIgnoreCase("aBc", "AbC"));
  EXPECT_FALSE(EqualsIgnoreCase("a[", "a{"));
  EXPECT_FALSE(EqualsIgnoreCase("a", "ab"));
  EXPECT_EQ(ToLower("A-Z{"), "a-z{");
}

}  // namespace
}  // namespace kdb::redis

#include "pkg/proxy/command_usage.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace kdb::proxy {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class CommandUsageTest : public testing::Test {
 protected:
  // Hits and misses that a reply is counted as.
  std::pair<uint64_t, uint64_t> Lookups(std::string_view command, std::string_view reply) {
    UsageCounter counter(index_);
    counter.Note(index_.Of(redis::FindCommand(command)), nanoseconds(1), reply);
    CommandUsage usage = counter.Take();
    return {usage.hits, usage.misses};
  }
  using Pair = std::pair<uint64_t, uint64_t>;

  const CommandIndex index_;
};

TEST_F(CommandUsageTest, RepliesTellOfKeysFound) {
  for (std::string_view command : {"get", "getdel", "getex", "getset"}) {
    EXPECT_EQ(Lookups(command, "$3\r\nabc\r\n"), Pair(1, 0)) << command;
    EXPECT_EQ(Lookups(command, "$0\r\n\r\n"), Pair(1, 0)) << command;
    EXPECT_EQ(Lookups(command, "$-1\r\n"), Pair(0, 1)) << command;
    EXPECT_EQ(Lookups(command, "_\r\n"), Pair(0, 1)) << command;
    EXPECT_EQ(Lookups(command, "-TIMEOUT no leader\r\n"), Pair(0, 0)) << command;
  }
  EXPECT_EQ(Lookups("ttl", ":-2\r\n"), Pair(0, 1));
  EXPECT_EQ(Lookups("pttl", ":-1\r\n"), Pair(1, 0));
  EXPECT_EQ(Lookups("type", "+none\r\n"), Pair(0, 1));
  EXPECT_EQ(Lookups("type", "+string\r\n"), Pair(1, 0));
  EXPECT_EQ(Lookups("set", "$-1\r\n"), Pair(0, 0));
}

TEST_F(CommandUsageTest, EveryElementOfMgetCounts) {
  EXPECT_EQ(Lookups("mget", "*4\r\n$1\r\nx\r\n$-1\r\n$4\r\n\r\n$9\r\n$0\r\n\r\n"), Pair(3, 1));
  EXPECT_EQ(Lookups("mget", "*2\r\n_\r\n_\r\n"), Pair(0, 2));
}

// Whatever a server sends.
TEST_F(CommandUsageTest, ACutReplyDoesNoHarm) {
  const std::string whole = "*3\r\n$1\r\nx\r\n$-1\r\n$2\r\nyz\r\n";
  for (size_t n = 0; n <= whole.size(); ++n) Lookups("mget", whole.substr(0, n));
  Lookups("mget", "*1\r\n$99999999999999999999\r\n");
  Lookups("mget", "*1\r\n$18446744073709551615\r\nx\r\n");
  Lookups("mget", "*1\r\n$18446744073709551588\r\nx\r\n");  // would lead back
  Lookups("mget", "*1\r\n:1\r\n");
  Lookups("get", "-");
}

TEST_F(CommandUsageTest, WhatIsNoCommandIsAnErrorOnly) {
  UsageCounter counter(index_);
  counter.Note(0, nanoseconds(1), "-ERR unknown command 'x'\r\n");
  CommandUsage usage = counter.Take();
  EXPECT_EQ(usage.errors.at("ERR"), 1u);
  EXPECT_EQ(usage.commands[0].calls, 0u);
}

TEST_F(CommandUsageTest, CodesAreBounded) {
  UsageCounter counter(index_);
  for (int i = 0; i < 1000; ++i) {
    counter.Note(1, nanoseconds(1), "-C" + std::to_string(i) + " text\r\n");
  }
  CommandUsage usage = counter.Take();
  EXPECT_EQ(usage.errors.size(), kMostErrorCodes + 1);
  EXPECT_EQ(usage.errors.at("OTHER"), 1000 - kMostErrorCodes);
  EXPECT_EQ(usage.error_replies, 1000u);
}

TEST_F(CommandUsageTest, EveryCommandHasANumber) {
  EXPECT_EQ(index_.Of(nullptr), 0);
  for (size_t i = 1; i < index_.size(); ++i) {
    EXPECT_EQ(index_.Of(index_.At(static_cast<uint8_t>(i))), i);
  }
  EXPECT_NE(index_.Of(redis::FindByFullName("client|list")), 0);
}

TEST(UsageTotals, RateIsOfTheLastTwoSeconds) {
  UsageTotals totals;
  totals.Add({}, {.commands = 1000, .received = 4096, .sent = 2}, seconds(100));
  EXPECT_EQ(totals.Rate(seconds(100)).commands, 500u);
  totals.Add({}, {.commands = 600, .received = 0, .sent = 0}, milliseconds(101'400));
  EXPECT_EQ(totals.Rate(milliseconds(101'900)).commands, 800u);
  EXPECT_EQ(totals.Rate(milliseconds(101'900)).received, 2048u);
  EXPECT_EQ(totals.Rate(milliseconds(102'100)).commands, 300u);  // the first are too old
  EXPECT_EQ(totals.Rate(seconds(104)).commands, 0u);
  // A thread that had nothing to do for long hands over late.
  totals.Add({}, {.commands = 999, .received = 0, .sent = 0}, milliseconds(99'400));
  EXPECT_EQ(totals.Rate(milliseconds(102'100)).commands, 300u);
}

TEST(LatencyHistogram, EveryValueIsInItsBucket) {
  for (int64_t ns = 1; ns < int64_t{1} << 36; ns = ns * 9 / 8 + 1) {
    LatencyHistogram one;
    one.Observe(nanoseconds(ns));
    int64_t found = one.Percentile(0.99).count();
    EXPECT_GE(found, ns);
    EXPECT_LE(found, ns + ns / 16);
  }
  LatencyHistogram none;
  EXPECT_EQ(none.Percentile(0.5).count(), 0);
  none.Observe(std::chrono::hours(10));
  EXPECT_GT(none.Percentile(0.5), seconds(100));
}

}  // namespace
}  // namespace kdb::proxy

// Commands over several slots and groups, and slots that change hands.
#include <gmock/gmock.h>

#include "pkg/routing/router_fixture_test.h"

namespace kdb::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::BatchCode;
using wire::ResultCode;

constexpr auto kMs = std::chrono::milliseconds(1);

class RouterSlots : public RouterFixture {
 protected:
  // Two groups, half of the slots each.
  void TwoGroups() {
    router_->SetCatalog(TableOf(1, {{1, 0, 511}, {2, 512, 1023}}));
    for (const std::string& key : {low_, high_}) Send("set " + key + " v", warm_);
    Settle();
    for (uint64_t gid : {1, 2}) links_.Of(gid)->Opened(gid);
    Settle();
    for (uint64_t gid : {1, 2}) links_.Of(gid)->Executed(0);
    Settle();
    for (uint64_t gid : {1, 2}) links_.Of(gid)->writes.clear();
    TakeReplies();
  }

  const std::string low_ = KeyIn(0, 511);
  const std::string high_ = KeyIn(512, 1023);
  const std::string low2_ = KeyIn(0, 511, 1);
};

TEST_F(RouterSlots, MgetIsCutByGroupAndPutTogetherInKeyOrder) {
  TwoGroups();
  Send("mget " + low_ + " " + high_ + " " + low2_);
  Settle();
  EXPECT_THAT(Commands(links_.Of(1)->reads[0].second), ElementsAre("mget " + low_));
  links_.Of(2)->ReadExecuted(0, {TextResult("*1\r\n$1\r\nh\r\n")});
  EXPECT_THAT(TakeReplies(), IsEmpty());
  links_.Of(1)->ReadExecuted(0, {TextResult("*2\r\n$1\r\nx\r\n$-1\r\n")});
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": *3 $1 x $1 h $-1"));
}

TEST_F(RouterSlots, AMultiKeyCommandOfOneGroupIsOneOp) {
  TwoGroups();
  Send("mset " + low_ + " 1 " + low2_ + " 2");
  Settle();
  EXPECT_EQ(wire::DecodeBatch(links_.Of(1)->writes[0])->ops.size(), 1u);
  EXPECT_EQ(wire::DecodeBatch(links_.Of(1)->writes[0])->ops[0].slots.size(), 2u);
  links_.Of(1)->Executed(0);
  EXPECT_EQ(TakeReplies().size(), 1u);
}

TEST_F(RouterSlots, MsetCarriesValuesWithItsKeys) {
  TwoGroups();
  Send("mset " + high_ + " H " + low_ + " L");
  Settle();
  EXPECT_THAT(wire::DecodeBatch(links_.Of(1)->writes[0])->ops[0].commands[0],
              ElementsAre("mset", low_, "L"));
  EXPECT_THAT(wire::DecodeBatch(links_.Of(2)->writes[0])->ops[0].commands[0],
              ElementsAre("mset", high_, "H"));
}

TEST_F(RouterSlots, DelAddsUp) {
  TwoGroups();
  Send("del " + high_ + " " + low_ + " " + low2_);
  Settle();
  links_.Of(1)->Executed(0, {TextResult(":2\r\n")});
  links_.Of(2)->Executed(0, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": :3"));
}

TEST_F(RouterSlots, APartExecutedAndAPartNotIsUnknown) {
  TwoGroups();
  Send("mset " + high_ + " H " + low_ + " L");
  Settle();
  links_.Of(2)->Executed(0);
  links_.Of(1)->Executed(0, {CodeResult(ResultCode::kLate)});
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-UNKNOWN a part of the command was executed"));
}

TEST_F(RouterSlots, APartExecutedAndAPartRefusedIsUnknown) {
  TwoGroups();
  Send("mset " + high_ + " H " + low_ + " L");
  Settle();
  links_.Of(1)->Refused(0, BatchCode::kDiskFull);
  links_.Of(2)->Executed(0);
  EXPECT_THAT(TakeReplies()[0],
              HasSubstr("-UNKNOWN a part of the command was executed, another was not (OOM "));
}

TEST_F(RouterSlots, NoPartExecutedIsTheError) {
  TwoGroups();
  Send("mset " + high_ + " H " + low_ + " L");
  Settle();
  links_.Of(1)->Refused(0, BatchCode::kDiskFull);
  links_.Of(2)->Refused(0, BatchCode::kDiskFull);
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": -OOM "));
}

TEST_F(RouterSlots, DbsizeAsksEveryGroup) {
  TwoGroups();
  Send("dbsize");
  Settle();
  links_.Of(1)->ReadExecuted(0, {TextResult(":40\r\n")});
  links_.Of(2)->ReadExecuted(0, {TextResult(":2\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("dbsize: :42"));
}

TEST_F(RouterSlots, AnAtomicCommandOverTwoSlotsIsRefused) {
  TwoGroups();
  Send("msetnx " + low_ + " 1 " + high_ + " 2");
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-CROSSSLOT"));
}

TEST_F(RouterSlots, ScanGoesToTheOwnerOfItsCursor) {
  TwoGroups();
  Send("scan 0");
  Send("scan " + std::to_string((600ull << 48) + 5));
  Send("scan " + std::to_string(1024ull << 48));
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": *2 $1 0 *0"));
  Settle();
  EXPECT_EQ(links_.Of(1)->reads.size(), 1u);
  EXPECT_EQ(links_.Of(2)->reads.size(), 1u);
}

TEST_F(RouterSlots, ScanBehindTheLastSlotJudgesItsOptions) {
  TwoGroups();
  Send("scan " + std::to_string(1024ull << 48) + " count 0");
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-ERR syntax error"));
}

TEST_F(RouterSlots, ScanSkipsSlotsThatNobodyOwns) {
  router_->SetCatalog(TableOf(1, {{1, 100, 200}}));
  Send("scan 0");
  Settle();
  EXPECT_THAT(Commands(links_.Of(1)->reads[0].second),
              ElementsAre("scan " + std::to_string(100ull << 48)));
  Send("scan " + std::to_string(201ull << 48));
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": *2 $1 0 *0"));
}

TEST_F(RouterSlots, CommandsWaitForACatalogAndAnOwner) {
  Send("set a 1");
  Send("dbsize", warm_);
  Settle();
  router_->SetCatalog(TableOf(1, {{1, 1, 0}}));  // registered, owns nothing
  Settle();
  EXPECT_TRUE(links_.links.empty());
  router_->SetCatalog(TableOf(2, {{1, 0, 1023}}));
  Settle();
  EXPECT_EQ(links_.Of(1)->reads.size() + links_.Of(1)->opens.size(), 2u);
}

TEST_F(RouterSlots, TheyTimeOutWithTheReason) {
  Send("set a 1");
  RunFor(10001 * kMs);
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-TIMEOUT no catalog"));
  router_->SetCatalog(TableOf(1, {{1, 1, 0}}));
  Send("set a 1");
  Send("dbsize");
  RunFor(10001 * kMs);
  EXPECT_THAT(TakeReplies(), ElementsAre(HasSubstr("-TIMEOUT no owner for slot"),
                                         HasSubstr("-TIMEOUT no owner for any slot")));
  EXPECT_FALSE(router_->idle());  // until somebody comes across them
  router_->SetCatalog(TableOf(2, {{1, 0, 1023}}));
  EXPECT_TRUE(router_->idle());
}

TEST_F(RouterSlots, OlderCatalogsAreIgnored) {
  router_->SetCatalog(TableOf(5, {{1, 0, 1023, 3}}));
  router_->SetCatalog(TableOf(4, {{2, 0, 1023, 2}}));
  Send("get a");
  Settle();
  EXPECT_NE(links_.Of(1), nullptr);
  EXPECT_EQ(links_.Of(2), nullptr);
}

TEST_F(RouterSlots, MovedOpsFollowInOrderAndNewOnesWait) {
  ScriptedLink& one = Ready();
  Send("append a 1");
  Settle();
  Send("append a 2");
  Settle();
  one.Executed(0, {CodeResult(ResultCode::kMoved, 2, 9, "2x,2y")});
  Send("append a 3");  // must not overtake the second, which the first group has yet to answer
  Settle();
  EXPECT_EQ(links_.Of(2), nullptr);
  one.Executed(1, {CodeResult(ResultCode::kMoved, 2, 9, "2x,2y")});
  Settle();
  ScriptedLink& two = *links_.Of(2);
  EXPECT_EQ(two.address, "2x");
  two.Opened(3);
  Settle();
  ASSERT_EQ(two.writes.size(), 1u);
  wire::Batch batch = *wire::DecodeBatch(two.writes[0]);
  ASSERT_EQ(batch.ops.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(batch.ops[i].commands[0][2], std::to_string(i + 1));
  }
}

TEST_F(RouterSlots, AFrozenSlotIsResumedInTheFirstBatchAfterAllAnswers) {
  ScriptedLink& link = Ready();
  const std::string other = KeyIn(0, 1023, 5);
  Send("append a 1");
  Settle();
  Send("append a 2");
  Settle();
  link.Executed(0, {CodeResult(ResultCode::kFrozen)});
  Send("append a 3");
  Send("set " + other + " v");
  Settle();
  ASSERT_EQ(link.writes.size(), 3u);
  EXPECT_THAT(Commands(link.writes[2]), ElementsAre("set " + other));
  link.Executed(1, {CodeResult(ResultCode::kFrozen)});
  RunFor(25 * kMs);
  EXPECT_EQ(link.writes.size(), 3u);  // an answer is due
  link.Executed(2);
  RunFor(25 * kMs);
  ASSERT_EQ(link.writes.size(), 4u);
  wire::Batch batch = *wire::DecodeBatch(link.writes[3]);
  ASSERT_EQ(batch.ops.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(batch.ops[i].commands[0][2], std::to_string(i + 1));
  }
  EXPECT_TRUE(batch.ops[0].resume);
  EXPECT_FALSE(batch.ops[1].resume);  // lifted already
}

// The slot goes to another group while its resumption at the former one waits for an answer, and an
// op of the slot is still there.
TEST_F(RouterSlots, ASlotThatHasLeftIsNotResumed) {
  ScriptedLink& one = Ready();
  ClientOrder other, third;
  Send("set " + low_ + " v", other);
  Settle();
  Send("append " + high_ + " 1");
  Send("get " + high_, third);
  Send("append " + high_ + " 2", third);  // waits for the read
  Settle();
  one.Executed(1, {CodeResult(ResultCode::kFrozen)});
  RunFor(25 * kMs);  // the first batch has no answer yet
  router_->SetCatalog(TableOf(2, {{1, 0, 511}, {2, 512, 1023, 9}}));
  one.Executed(0);
  Settle();
  EXPECT_EQ(links_.Of(2), nullptr);
  one.ReadExecuted(0, {TextResult("$-1\r\n")});
  Settle();
  ASSERT_NE(links_.Of(2), nullptr);
  links_.Of(2)->Opened(3);
  Settle();
  wire::Batch batch = *wire::DecodeBatch(links_.Of(2)->writes.at(0));
  ASSERT_EQ(batch.ops.size(), 2u);
  EXPECT_EQ(batch.ops[0].commands[0][2], "1");
  EXPECT_EQ(batch.ops[1].commands[0][2], "2");
}

TEST_F(RouterSlots, NotOwnerAsksForACatalogAndTriesAgain) {
  ScriptedLink& link = Ready();
  int wanted = 0;
  router_->SetCatalogWanted([&wanted] { ++wanted; });
  Send("set a 1");
  Settle();
  link.Executed(0, {CodeResult(ResultCode::kNotOwner, 0, 0)});
  EXPECT_EQ(wanted, 1);
  RunFor(25 * kMs);
  ASSERT_EQ(link.writes.size(), 2u);
  link.Executed(1);
  EXPECT_THAT(TakeReplies(), ElementsAre("set a 1: +OK"));
}

TEST_F(RouterSlots, AMovedPartIsCutAnew) {
  ScriptedLink& one = Ready();
  Send("mset " + low_ + " L " + high_ + " H");
  Settle();
  one.Executed(0, {CodeResult(ResultCode::kMoved, 2, 9, "")});
  Settle();
  router_->SetCatalog(TableOf(2, {{1, 0, 511}, {2, 512, 1023, 9}}));
  RunFor(25 * kMs);
  EXPECT_THAT(Commands(one.writes.back()), ElementsAre("mset " + low_));
  one.Executed(one.writes.size() - 1);
  links_.Of(2)->Opened(4);
  Settle();
  EXPECT_THAT(Commands(links_.Of(2)->writes[0]), ElementsAre("mset " + high_));
  links_.Of(2)->Executed(0);
  EXPECT_THAT(TakeReplies()[0], HasSubstr(": +OK"));
}

}  // namespace
}  // namespace kdb::routing

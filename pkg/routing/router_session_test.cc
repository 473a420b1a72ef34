// Sessions: what is sent again, what is not, and what clients are told.
#include <gmock/gmock.h>

#include "pkg/routing/router_fixture_test.h"

namespace kdb::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::BatchCode;

constexpr auto kMs = std::chrono::milliseconds(1);

class RouterSession : public RouterFixture {};

TEST_F(RouterSession, OpensASessionThenSendsWhatWaitedAsOneBatch) {
  router_->SetCatalog(TableOf(1, {{1, 0, 1023}}));
  Send("set a 1");
  Send("set b 2");
  Settle();
  ScriptedLink& link = *links_.Of(1);
  EXPECT_EQ(link.opens.size(), 1u);
  EXPECT_THAT(link.writes, IsEmpty());
  link.Opened(7);
  Settle();
  ASSERT_EQ(link.writes.size(), 1u);
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set a", "set b"));
  EXPECT_EQ(link.Head(0).session, 7u);
  EXPECT_EQ(link.Head(0).seq, 1u);
  link.Executed(0);
  EXPECT_THAT(TakeReplies(), ElementsAre("set a 1: +OK", "set b 2: +OK"));
  EXPECT_TRUE(router_->idle());
}

TEST_F(RouterSession, HasAtMostTwoBatchesInFlight) {
  ScriptedLink& link = Ready();
  for (int i = 0; i < 4; ++i) {
    Send("set k" + std::to_string(i) + " v");
    Settle();
  }
  ASSERT_EQ(link.writes.size(), 2u);
  link.Executed(0);
  Settle();
  ASSERT_EQ(link.writes.size(), 3u);
  EXPECT_THAT(Commands(link.writes[2]), ElementsAre("set k2", "set k3"));
  EXPECT_EQ(link.Head(2).ack_below, link.Head(1).seq);
}

TEST_F(RouterSession, ASecondBatchMustBeWorthIt) {
  ScriptedLink& link = Ready();
  ClientOrder others[4];
  for (int i = 0; i < 3; ++i) Send("set a" + std::to_string(i) + " v");
  Settle();
  ASSERT_EQ(link.writes.size(), 1u);
  Send("set b v");
  Send("get c", others[0]);
  Send("get d", others[1]);
  Settle();
  EXPECT_EQ(link.writes.size(), 1u);  // 1 beside 3 waits
  EXPECT_EQ(link.reads.size(), 1u);
  Send("get e", others[2]);
  Settle();
  EXPECT_EQ(link.reads.size(), 1u);  // 1 beside 2
  Send("get f", others[3]);
  Send("set g v");
  Send("set h v");
  Settle();
  EXPECT_EQ(link.reads.size(), 2u);
  EXPECT_EQ(link.writes.size(), 2u);
}

TEST_F(RouterSession, BoundsBatchesByOpsAndBytes) {
  RouterOptions options;
  options.max_batch_ops = 3;
  options.max_batch_bytes = 100;
  Make(options, links_);
  ScriptedLink& link = Ready();
  for (int i = 0; i < 4; ++i) Send("set k" + std::to_string(i) + " v");
  Settle();
  EXPECT_EQ(Commands(link.writes[0]).size(), 3u);
  link.Executed(0);
  Settle();
  link.Executed(1);
  link.writes.clear();
  Send("set big " + std::string(90, 'x'));
  Send("set big " + std::string(90, 'y'));
  Settle();
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set big"));
}

TEST_F(RouterSession, SendsTheSameBytesToTheNextLeader) {
  ScriptedLink& old = Ready();
  Send("incr n");
  Settle();
  std::string bytes = old.writes[0];
  old.handler.OnLeaderChanged("1c");
  Settle();
  ScriptedLink& next = *links_.Of(1);
  EXPECT_EQ(next.address, "1c");
  ASSERT_EQ(next.writes.size(), 1u);
  EXPECT_EQ(next.writes[0], bytes);
  next.Executed(0, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("incr n: :1"));
}

TEST_F(RouterSession, ANumberThatMayBeInALogKeepsItsBytesThroughRefusalsAndTimeouts) {
  ScriptedLink& old = Ready();
  Send("incr n");
  Settle();
  std::string bytes = old.writes[0];
  old.handler.OnLeaderChanged("1c");
  Settle();
  links_.Of(1)->Refused(0, BatchCode::kNotLeader, "1b");
  RunFor(11000 * kMs);
  EXPECT_THAT(TakeReplies(), ElementsAre(HasSubstr("-UNKNOWN")));
  while (links_.Of(1) == nullptr || links_.Of(1)->writes.empty()) RunFor(10 * kMs);
  EXPECT_EQ(links_.Of(1)->writes[0], bytes);
}

TEST_F(RouterSession, FollowsTheHintOfAMemberThatDoesNotLead) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  link.Refused(0, BatchCode::kNotLeader, "1b");
  Settle();
  EXPECT_EQ(links_.Of(1)->address, "1b");
  EXPECT_EQ(links_.Of(1)->writes.size(), 1u);
}

TEST_F(RouterSession, TriesTheOtherMembersQuicklyWhenTheLeaderIsGone) {
  Ready();
  Send("incr n");
  Settle();
  std::vector<std::string> tried;
  for (int i = 0; i < 6; ++i) {
    links_.Of(1)->handler.OnBroken(absl::UnavailableError("refused"));
    RunFor(150 * kMs);
    ASSERT_NE(links_.Of(1), nullptr);
    tried.push_back(links_.Of(1)->address);
  }
  EXPECT_THAT(tried, ElementsAre("1b", "1c", "1a", "1b", "1c", "1a"));
}

TEST_F(RouterSession, LeavesALeaderThatDoesNotAnswer) {
  Ready();
  Send("incr n");
  RunFor(1100 * kMs);
  EXPECT_NE(links_.Of(1)->address, "1a");
  EXPECT_EQ(links_.Of(1)->writes.size(), 1u);
  // A member that says nothing at all is left sooner.
  std::string silent = links_.Of(1)->address;
  RunFor(600 * kMs);
  EXPECT_NE(links_.Of(1)->address, silent);
}

TEST_F(RouterSession, SendsAgainFromTheFirstGap) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  Send("incr m");
  Settle();
  ASSERT_EQ(link.writes.size(), 2u);
  link.Refused(0, BatchCode::kBusy);
  Settle();
  EXPECT_EQ(link.writes.size(), 2u);  // the answer to the second is due
  link.Refused(1, BatchCode::kGap, {}, 1);
  RunFor(20 * kMs);
  ASSERT_EQ(link.writes.size(), 4u);
  EXPECT_EQ(link.Head(2).seq, link.Head(0).seq);
  EXPECT_EQ(link.Head(3).seq, link.Head(1).seq);
  link.Executed(2, {TextResult(":1\r\n")});
  link.Executed(3, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("incr n: :1", "incr m: :1"));
}

TEST_F(RouterSession, AFullDiskAnswersOomAndKeepsTheNumber) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  link.Refused(0, BatchCode::kDiskFull);
  Settle();
  auto replies = TakeReplies();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], HasSubstr("incr n: -OOM"));
  // What comes next goes under the number that was not used; an empty batch may have asked before
  // it.
  Send("incr m");
  RunFor(500 * kMs);
  size_t last = link.writes.size() - 1;
  while (last > 1 && Commands(link.writes[last]).empty()) --last;
  EXPECT_THAT(Commands(link.writes[last]), ElementsAre("incr m"));
  EXPECT_EQ(link.Head(last).seq, link.Head(0).seq);
  link.Executed(last, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("incr m: :1"));
}

TEST_F(RouterSession, AFullDiskAnswersWhatWaitsBehindABatchInDoubt) {
  ScriptedLink& old = Ready();
  Send("incr doubtful");
  Settle();
  old.handler.OnLeaderChanged("1b");
  Settle();
  ScriptedLink& next = *links_.Of(1);
  Send("incr waits");
  next.Refused(0, BatchCode::kDiskFull);
  Settle();
  auto replies = TakeReplies();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], HasSubstr("incr waits: -OOM"));
  RunFor(500 * kMs);
  size_t last = next.writes.size() - 1;
  EXPECT_THAT(Commands(next.writes[last]), ElementsAre("incr doubtful"));
  next.Executed(last, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("incr doubtful: :1"));
}

TEST_F(RouterSession, AnExpiredSessionMakesOnlyEarlierSendsUnknown) {
  ScriptedLink& link = Ready();
  Send("incr sent-before");
  Settle();
  link.handler.OnLeaderChanged("1b");
  Settle();
  ScriptedLink& next = *links_.Of(1);
  Send("incr sent-once");
  Settle();
  Send("incr never-sent");
  Settle();
  next.Refused(0, BatchCode::kExpired);
  Settle();
  auto replies = TakeReplies();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], HasSubstr("incr sent-before: -UNKNOWN"));
  ASSERT_EQ(next.opens.size(), 1u);
  next.Opened(8);
  Settle();
  EXPECT_THAT(Commands(next.writes.back()), ElementsAre("incr sent-once", "incr never-sent"));
  EXPECT_EQ(next.Head(next.writes.size() - 1).session, 8u);
  EXPECT_EQ(next.Head(next.writes.size() - 1).seq, 1u);
}

TEST_F(RouterSession, WhatFollowsAMalformedBatchIsSentOnce) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  Send("incr m");
  Settle();
  ASSERT_EQ(link.writes.size(), 2u);
  link.Refused(0, BatchCode::kMalformed);
  Settle();
  EXPECT_THAT(TakeReplies(), ElementsAre(HasSubstr("incr n: -ERR")));
  RunFor(100 * kMs);
  EXPECT_EQ(link.opens.size(), 1u);
  EXPECT_EQ(link.writes.size(), 2u);
  link.Executed(1, {TextResult(":1\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("incr m: :1"));
}

TEST_F(RouterSession, ANumberThatAMalformedBatchDidNotTakeEndsTheSession) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  Send("incr m");
  Settle();
  link.Refused(0, BatchCode::kMalformed);
  link.Refused(1, BatchCode::kGap, {}, 1);
  Settle();
  ASSERT_EQ(link.opens.size(), 2u);
  link.Opened(8);
  Settle();
  EXPECT_THAT(Commands(link.writes.back()), ElementsAre("incr m"));
}

TEST_F(RouterSession, AGroupThatForgotAnsweredBatchesGetsANewSession) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  link.Refused(0, BatchCode::kGap, {}, 0);  // it answered number 1
  Settle();
  EXPECT_EQ(link.opens.size(), 2u);
}

// Else the batch would be sent again and again, and its reply be trimmed meanwhile.
TEST_F(RouterSession, ALargeReplyOverASlowPathIsWaitedFor) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  for (int i = 0; i < 8; ++i) {
    RunFor(800 * kMs);
    link.handler.OnProgress();
  }
  ASSERT_EQ(links_.Of(1), &link);
  EXPECT_EQ(link.writes.size(), 1u);
  link.Executed(0);
  Settle();
  EXPECT_EQ(TakeReplies().size(), 1u);
}

TEST_F(RouterSession, ATimedOutOpIsUnknownOnlyIfItMayBeInALog) {
  ScriptedLink& link = Ready();
  Send("incr in-doubt");
  Settle();
  link.handler.OnBroken(absl::UnavailableError("gone"));
  RunFor(10500 * kMs);
  auto replies = TakeReplies();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], HasSubstr("-UNKNOWN"));
}

TEST_F(RouterSession, ARefusedOpTimesOutAndIsNotSentAgain) {
  ScriptedLink& link = Ready();
  Send("incr n");
  Settle();
  link.Refused(0, BatchCode::kNotLeader, "1b");
  Settle();
  for (int i = 0; i < 200; ++i) {
    ScriptedLink* now = links_.Of(1);
    if (now != nullptr && !now->writes.empty()) now->Refused(0, BatchCode::kNotLeader);
    RunFor(60 * kMs);
  }
  auto replies = TakeReplies();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_THAT(replies[0], HasSubstr("-TIMEOUT no leader for slot"));
  EXPECT_THAT(replies[0], HasSubstr("within 10 s; nothing was executed"));
  // The number is used up by an empty batch.
  while (links_.Of(1) == nullptr || links_.Of(1)->writes.empty()) RunFor(10 * kMs);
  EXPECT_THAT(Commands(links_.Of(1)->writes.back()), IsEmpty());
}

TEST_F(RouterSession, NotAfterIsTheDeadlineInLogTime) {
  ScriptedLink& link = Ready();  // its log time was 1000 about now
  RunFor(500 * kMs);
  Send("incr n");
  Settle();
  int64_t not_after = wire::DecodeBatch(link.writes[0])->ops[0].not_after_ms;
  EXPECT_GE(not_after, 1000 + 500 + 10000 - 5);
  EXPECT_LE(not_after, 1000 + 500 + 10000 + 5);
  link.Executed(0, {CodeResult(wire::ResultCode::kLate)});
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-TIMEOUT the command for slot"));
}

TEST_F(RouterSession, ReadsAreSentAgainAnywhere) {
  ScriptedLink& link = Ready();
  Send("get a");
  Settle();
  ASSERT_EQ(link.reads.size(), 1u);
  link.ReadRefused(0, BatchCode::kNotLeader, "1b");
  Settle();
  ScriptedLink& next = *links_.Of(1);
  ASSERT_EQ(next.reads.size(), 1u);
  next.handler.OnBroken(absl::UnavailableError("gone"));
  RunFor(100 * kMs);
  ScriptedLink& third = *links_.Of(1);
  ASSERT_EQ(third.reads.size(), 1u);
  third.ReadExecuted(0, {TextResult("$1\r\nx\r\n")});
  EXPECT_THAT(TakeReplies(), ElementsAre("get a: $1 x"));
}

TEST_F(RouterSession, AReadNeverIsUnknown) {
  Ready();
  Send("get a");
  RunFor(10500 * kMs);
  EXPECT_THAT(TakeReplies()[0], HasSubstr("-TIMEOUT"));
}

TEST_F(RouterSession, BacklogStopsAndResumes) {
  RouterOptions options;
  options.max_queued_bytes = 4000;
  Make(options, links_);
  ScriptedLink& link = Ready();
  int resumed = 0;
  router_->SetResume([&resumed] { ++resumed; });
  for (int i = 0; i < 20; ++i) Send("set k v");
  EXPECT_TRUE(router_->backlogged());
  Settle();
  link.Executed(0);
  EXPECT_FALSE(router_->backlogged());
  EXPECT_EQ(resumed, 1);
}

TEST_F(RouterSession, ClosesItsSessionAtTheEnd) {
  ScriptedLink& link = Ready();
  router_->CloseSessions();
  EXPECT_THAT(link.closed, ElementsAre(7u));
}

TEST_F(RouterSession, AForgottenClientIsNotCalled) {
  ScriptedLink& link = Ready();
  Send("set a 1");
  Settle();
  router_->Forget(client_);
  link.Executed(0);
  EXPECT_THAT(TakeReplies(), IsEmpty());
  EXPECT_TRUE(router_->idle());
}

}  // namespace
}  // namespace kdb::routing

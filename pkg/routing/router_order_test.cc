// One client's commands in the order sent (design 4, "Order").
#include <gmock/gmock.h>

#include "pkg/routing/router_fixture_test.h"

namespace kdb::routing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RouterOrder : public RouterFixture {};

TEST_F(RouterOrder, AReadRidesBehindItsClientsWrite) {
  ScriptedLink& link = Ready();
  Send("set a 1");
  Send("get a");
  Settle();
  EXPECT_THAT(link.reads, IsEmpty());
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set a", "get a"));
  wire::Batch batch = *wire::DecodeBatch(link.writes[0]);
  EXPECT_FALSE(batch.ops[0].bounded_reply);
  EXPECT_TRUE(batch.ops[1].bounded_reply);
}

TEST_F(RouterOrder, AnotherClientsReadDoesNot) {
  ScriptedLink& link = Ready();
  ClientOrder other;
  Send("set a 1");
  Send("get a", other);
  Settle();
  EXPECT_EQ(link.reads.size(), 1u);
}

TEST_F(RouterOrder, AReadWhoseReplyIsGoneIsReadAgainBeforeLaterCommands) {
  ScriptedLink& link = Ready();
  Send("incr a");
  Send("get b");  // rides
  Send("del b");
  Settle();
  link.Refused(0, wire::BatchCode::kTrimmed);
  Settle();
  ASSERT_EQ(link.reads.size(), 1u);
  EXPECT_EQ(link.writes.size(), 1u) << "the DEL overtook the GET";
  link.ReadExecuted(0, {TextResult("$1\r\nx\r\n")});
  Settle();
  ASSERT_EQ(link.writes.size(), 2u);
  EXPECT_EQ(Commands(link.writes[1]), std::vector<std::string>{"del b"});
}

TEST_F(RouterOrder, ALargeReplyComesByIndexBeforeLaterCommands) {
  ScriptedLink& link = Ready();
  Send("set a 1");
  Send("get a");
  Send("set a 2");  // waits: its slot has a riding read
  Send("get b");
  Settle();
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set a", "get a"));
  link.Executed(0, {TextResult("+OK\r\n"), CodeResult(wire::ResultCode::kByIndex)});
  Settle();
  ASSERT_EQ(link.reads.size(), 1u);
  EXPECT_THAT(Commands(link.reads[0].second), ElementsAre("get a"));
  EXPECT_EQ(link.writes.size(), 1u);
  link.ReadExecuted(0, {TextResult("$1\r\n1\r\n")});
  Settle();
  EXPECT_THAT(Commands(link.writes[1]), ElementsAre("set a", "get b"));
  link.Executed(1, {TextResult("+OK\r\n"), TextResult("$-1\r\n")});
  EXPECT_THAT(TakeReplies(),
              ElementsAre("set a 1: +OK", "get a: $1 1", "set a 2: +OK", "get b: $-1"));
}

TEST_F(RouterOrder, AReadBehindOneThatComesByIndexIsReadAgain) {
  ScriptedLink& link = Ready();
  Send("set x 1");
  Send("get a");
  Send("get b");
  Send("get a");
  Settle();
  link.Executed(0, {TextResult("+OK\r\n"), CodeResult(wire::ResultCode::kByIndex),
                    TextResult("$1\r\nb\r\n"), TextResult("$1\r\n1\r\n")});
  Settle();
  ASSERT_EQ(link.reads.size(), 1u);
  EXPECT_THAT(Commands(link.reads[0].second), ElementsAre("get a", "get a"));
  // Another client has set it meanwhile: the second must not see less than the first.
  link.ReadExecuted(0, {TextResult("$1\r\n2\r\n"), TextResult("$1\r\n2\r\n")});
  EXPECT_THAT(TakeReplies(),
              ElementsAre("set x 1: +OK", "get b: $1 b", "get a: $1 2", "get a: $1 2"));
}

TEST_F(RouterOrder, AWriteWaitsForItsClientsReads) {
  ScriptedLink& link = Ready();
  Send("get a");
  Send("set a 1");
  Settle();
  EXPECT_EQ(link.reads.size(), 1u);
  EXPECT_THAT(link.writes, IsEmpty());
  link.ReadExecuted(0, {TextResult("$-1\r\n")});
  Settle();
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set a"));
}

TEST_F(RouterOrder, ReadsOfOneClientShareABatchOrWait) {
  ScriptedLink& link = Ready();
  Send("get a");
  Send("get b");
  Settle();
  Send("get c");
  Settle();
  ASSERT_EQ(link.reads.size(), 1u);
  EXPECT_THAT(Commands(link.reads[0].second), ElementsAre("get a", "get b"));
  link.ReadExecuted(0, {TextResult("$-1\r\n"), TextResult("$-1\r\n")});
  Settle();
  EXPECT_THAT(Commands(link.reads[1].second), ElementsAre("get c"));
}

TEST_F(RouterOrder, KeylessReadsWaitForWrites) {
  ScriptedLink& link = Ready();
  Send("set a 1");
  Send("dbsize");
  Settle();
  EXPECT_THAT(Commands(link.writes[0]), ElementsAre("set a"));
  EXPECT_THAT(link.reads, IsEmpty());
  link.Executed(0);
  Settle();
  EXPECT_THAT(Commands(link.reads[0].second), ElementsAre("dbsize"));
}

TEST_F(RouterOrder, WhatTimedOutWhileItWaitedIsNotSent) {
  ScriptedLink* link = &Ready();
  Send("get a");
  Send("set a 1");
  RunFor(std::chrono::milliseconds(5000));
  Send("set a 2");
  RunFor(std::chrono::milliseconds(5500));
  EXPECT_EQ(TakeReplies().size(), 2u);
  while (links_.Of(1) == nullptr || links_.Of(1)->reads.empty()) Settle();
  link = links_.Of(1);
  // The reads still in flight are answered; nobody waits for them.
  size_t reads = Commands(link->reads[0].second).size();
  link->ReadExecuted(0, std::vector<wire::Result>(reads, TextResult("$-1\r\n")));
  Settle();
  ASSERT_EQ(link->writes.size(), 1u);
  EXPECT_EQ(wire::DecodeBatch(link->writes[0])->ops[0].commands[0][2], "2");
}

}  // namespace
}  // namespace kdb::routing

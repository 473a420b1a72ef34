// The texts of errors are interface: a change of one has to be meant.
#include "pkg/routing/router_errors.h"

#include <gtest/gtest.h>

#include "pkg/routing/router_fixture_test.h"

namespace kdb::routing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::ResultCode;

constexpr char kTimeouts[] = R"(
TIMEOUT no catalog, so no owner for slot 5, within 10 s; nothing was executed
TIMEOUT no owner for any slot within 10 s; nothing was executed
TIMEOUT no owner for slot 5 within 10 s; nothing was executed
TIMEOUT slot 5 has moved, and its former owner did not answer within 10 s; nothing was executed
TIMEOUT slot 5 is moving, and no group took its commands within 10 s; nothing was executed
TIMEOUT no leader for slot 5 within 10 s; nothing was executed
TIMEOUT no answer to this connection's older commands, before this one for slot 5, within 10 s; nothing was executed
TIMEOUT no answer for slot 5 within 10 s; nothing was executed
)";

TEST(RouterErrors, Timeouts) {
  std::string all = "\n";
  for (Awaited awaited :
       {Awaited::kCatalog, Awaited::kAnyOwner, Awaited::kOwner, Awaited::kFormerOwner,
        Awaited::kTransfer, Awaited::kLeader, Awaited::kTurn, Awaited::kAnswer}) {
    all += TimeoutText(awaited, "slot 5", seconds(10)) + "\n";
  }
  EXPECT_EQ(all, kTimeouts);
}

TEST(RouterErrors, Others) {
  EXPECT_EQ(LateText("slot 5", 2, seconds(10)),
            "TIMEOUT the command for slot 5 reached shard group 2 after its deadline of 10 s; "
            "nothing was executed");
  EXPECT_EQ(UnansweredText("shard group 2", milliseconds(500)),
            "UNKNOWN no answer for shard group 2 within 0.5 s; the command may or may not have "
            "been executed");
  EXPECT_EQ(ForgottenText(2),
            "UNKNOWN shard group 2 has no record any more of what became of the command; it may "
            "or may not have been executed");
  EXPECT_EQ(PartlyText("TIMEOUT why"),
            "UNKNOWN a part of the command was executed, another was not (TIMEOUT why)");
  EXPECT_EQ(NotForShardsReply("ping"), "-ERR 'ping' does not run on shards\r\n");
}

// What a command is told follows from where it waits.
class RouterErrorTexts : public RouterFixture {
 protected:
  void Set(ClientOrder& client) { Send("set " + key_ + " 1", client); }
  std::string Timeout(Awaited awaited) { return Told(TimeoutText(awaited, slot_, seconds(10))); }
  std::string Told(const std::string& text) { return "set " + key_ + " 1: -" + text; }

  const std::string key_ = KeyIn(0, 511);
  const std::string slot_ = "slot " + std::to_string(shard::SlotOf(key_));
  ClientOrder other_;
};

TEST_F(RouterErrorTexts, NobodyLeads) {
  router_->SetCatalog(TableOf(1, {{1, 0, 1023}}));
  Set(client_);
  RunFor(milliseconds(10001));
  EXPECT_EQ(TakeReplies(), Replies{Timeout(Awaited::kLeader)});
}

TEST_F(RouterErrorTexts, TheOwnerRefusesTheSlot) {
  ScriptedLink& link = Ready();
  Send("set " + KeyIn(512, 1023) + " 1", other_);
  Settle();
  Set(client_);
  Settle();
  // It is not sent again before the other batch has its answer.
  link.Executed(1, {CodeResult(ResultCode::kFrozen)});
  RunFor(milliseconds(10001));
  Replies replies = TakeReplies();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[1], Timeout(Awaited::kTransfer));
}

TEST_F(RouterErrorTexts, TheFormerOwnerIsSilent) {
  ScriptedLink& link = Ready();
  Set(client_);
  Settle();
  link.handler.OnBroken(absl::UnavailableError("gone"));
  router_->SetCatalog(TableOf(2, {{2, 0, 1023, 9}}));
  Set(other_);
  RunFor(milliseconds(10001));
  EXPECT_EQ(TakeReplies(),
            (Replies{Told(UnansweredText(slot_, seconds(10))), Timeout(Awaited::kFormerOwner)}));
}

TEST_F(RouterErrorTexts, TheCommandCameTooLate) {
  ScriptedLink& link = Ready();
  Set(client_);
  Settle();
  link.Executed(0, {CodeResult(ResultCode::kLate)});
  EXPECT_EQ(TakeReplies(), Replies{Told(LateText(slot_, 1, seconds(10)))});
}

}  // namespace
}  // namespace kdb::routing

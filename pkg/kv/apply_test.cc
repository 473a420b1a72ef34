// What becomes of entries and ops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/kv/replica_fixture.h"
#include "pkg/kv/system_records.h"
#include "pkg/storage/system_record.h"

namespace kdb::kv {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using wire::BatchCode;
using wire::ResultCode;

class ApplyTest : public ReplicaTest {
 protected:
  wire::Result RunOp(const wire::Op& op) {
    if (session_ == 0) {
      log_.OwnAll();
      OpenSession();
    }
    Send({.session = session_, .seq = ++seq_}, {op});
    return reply_.results.empty() ? wire::Result() : reply_.results[0];
  }
};

TEST_F(ApplyTest, ExecutesInTheOpsProtocolVersion) {
  EXPECT_EQ(Run("SET k v"), "+OK\r\n");
  EXPECT_EQ(Run("GET k"), "$1\r\nv\r\n");
  wire::Op op = CommandOp("GET nothing");
  op.resp_version = 3;
  EXPECT_EQ(RunOp(op).reply, "_\r\n");
}

TEST_F(ApplyTest, LogTimeNeverGoesBack) {
  Run("SET k v");
  EXPECT_EQ(replica_.state().applied_log_time_ms(), kNoon);
  log_.now_ms = kNoon - 1000;
  Run("SET k v");
  EXPECT_EQ(reply_.log_time_ms, kNoon);
  log_.now_ms = kNoon + 5;
  log_.Add(EntryKind::kTick);
  Apply();
  EXPECT_EQ(replica_.state().applied_log_time_ms(), kNoon + 5);
}

TEST_F(ApplyTest, LateOpsAreNotExecuted) {
  wire::Op op = CommandOp("INCR n");
  op.not_after_ms = kNoon;
  EXPECT_EQ(RunOp(op).reply, ":1\r\n");
  log_.now_ms = kNoon + 1;
  EXPECT_EQ(RunOp(op).code, ResultCode::kLate);
  log_.now_ms = kNoon - 1;  // log time is what counts, not the stamp
  EXPECT_EQ(RunOp(op).code, ResultCode::kLate);
  EXPECT_EQ(Run("GET n"), "$1\r\n1\r\n");
}

TEST_F(ApplyTest, SlotsThatAreNotOwned) {
  log_.Own({shard::SlotOf("mine")});
  OpenSession();
  EXPECT_EQ(Run("SET mine 1"), "+OK\r\n");
  Run("SET other 1");
  EXPECT_EQ(reply_.results[0].code, ResultCode::kNotOwner);
  EXPECT_EQ(reply_.results[0].epoch, 0u);
  Run("MSET mine 2 other 2");  // any slot not owned: nothing is executed
  EXPECT_EQ(reply_.results[0].code, ResultCode::kNotOwner);
  EXPECT_EQ(Run("GET mine"), "$1\r\n1\r\n");
}

TEST_F(ApplyTest, FirstOwnershipIsForEver) {
  log_.Own({1, 2}, 1, 10);
  EXPECT_EQ(Apply(), "");
  log_.Own({1, 2}, 1, 10);  // again: nothing changes
  EXPECT_EQ(Apply(), "");
  log_.Own({2, 3}, 1, 9);  // below what was seen for 2, which is owned all the same
  EXPECT_EQ(Apply(), "");
  EXPECT_EQ(replica_.state().owned().count(), 3u);
  replica_.Reopen();
  EXPECT_EQ(replica_.state().owned().count(), 3u);
  EXPECT_EQ(replica_.state().stats().owned_slots, 3u);
}

TEST_F(ApplyTest, KeysMustBeInTheOpsSlots) {
  wire::Op op = CommandOp("SET k v");
  op.slots = {static_cast<uint16_t>(shard::SlotOf("k") ^ 1)};
  EXPECT_EQ(RunOp(op).code, ResultCode::kFailed);
  op.slots = {};
  EXPECT_EQ(RunOp(op).code, ResultCode::kFailed);
  op.slots = {shard::kSlots};
  EXPECT_EQ(RunOp(op).code, ResultCode::kFailed);
  op.slots = {shard::kSystemSlot};
  EXPECT_EQ(RunOp(op).code, ResultCode::kFailed);
  EXPECT_EQ(Run("GET k"), "$-1\r\n");
}

TEST_F(ApplyTest, WhatAShardDoesNotExecuteFails) {
  for (const char* line :
       {"PING", "NOSUCH x", "GET", "SUBSCRIBE x", "shardgroup query", "client list"}) {
    wire::Result result = RunOp(CommandOp(line));
    EXPECT_EQ(result.code, ResultCode::kFailed) << line;
    EXPECT_THAT(std::string(result.reply), StartsWith("-ERR ")) << line;
  }
}

TEST_F(ApplyTest, OtherKindsFail) {
  for (wire::OpKind kind : {wire::OpKind::kMulti, wire::OpKind::kScript}) {
    wire::Op op = CommandOp("SET k v");
    op.kind = kind;
    wire::Result result = RunOp(op);
    EXPECT_EQ(result.code, ResultCode::kFailed);
    EXPECT_THAT(std::string(result.reply), HasSubstr("not supported"));
  }
  wire::Op none = CommandOp("SET k v");
  none.commands.clear();
  EXPECT_EQ(RunOp(none).code, ResultCode::kFailed);
  wire::Op two = CommandOp("SET k v");
  two.commands.push_back({"GET", "k"});
  EXPECT_EQ(RunOp(two).code, ResultCode::kFailed);
  wire::Op watched = CommandOp("SET k v");
  watched.watches.push_back({"k", 1});
  EXPECT_EQ(RunOp(watched).code, ResultCode::kFailed);
  EXPECT_EQ(Run("GET k"), "$-1\r\n");
}

TEST_F(ApplyTest, LargeBoundedReadsGoByIndex) {
  std::string set = "SET k " + std::string(5000, 'x');
  Run(set);
  wire::Op get = CommandOp("GET k");
  get.bounded_reply = true;
  EXPECT_EQ(RunOp(get).code, ResultCode::kByIndex);
  get.bounded_reply = false;
  EXPECT_EQ(RunOp(get).code, ResultCode::kReply);
  wire::Op take = CommandOp("GETDEL k");  // a write has happened and must say so
  take.bounded_reply = true;
  EXPECT_EQ(RunOp(take).code, ResultCode::kReply);
}

TEST_F(ApplyTest, AnOpThatFailsDoesNotStopTheOthers) {
  Run("SET k v");
  Send({.session = session_, .seq = ++seq_},
       {CommandOp("INCR n"), CommandOp("NOSUCH"), CommandOp("INCR k"), CommandOp("INCR n")});
  ASSERT_EQ(reply_.results.size(), 4u);
  EXPECT_EQ(reply_.results[0].reply, ":1\r\n");
  EXPECT_EQ(reply_.results[1].code, ResultCode::kFailed);
  EXPECT_THAT(std::string(reply_.results[2].reply), StartsWith("-ERR value is not an integer"));
  EXPECT_EQ(reply_.results[3].reply, ":2\r\n");
}

TEST_F(ApplyTest, MalformedEntriesAreAnswered) {
  Run("SET k v");
  for (const std::string& bytes :
       {std::string("\x01"), std::string(10, '\0'), std::string("\x01\x01", 2),
        EncodeEntry(EntryKind::kRaiseLevel, kNoon, "junk."),
        EncodeEntry(EntryKind::kBatch, kNoon, "junk"),
        EncodeEntry(EntryKind::kExpireSessions, kNoon, "junk"),
        EncodeEntry(EntryKind::kExpireKeys, kNoon, "junk"),
        EncodeEntry(EntryKind::kOwnSlots, kNoon, "junk")}) {
    log_.Raw(bytes);
    auto reply = wire::DecodeBatchReply(Apply());
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->code, BatchCode::kMalformed);
    EXPECT_EQ(replica_.state().applied().index, log_.Last());
  }
  EXPECT_EQ(Run("GET k"), "$1\r\nv\r\n");
}

TEST_F(ApplyTest, NoOpsMoveOnlyTheIndex) {
  Run("SET k v");
  log_.term = 4;
  log_.NoOp();
  EXPECT_EQ(Apply(), "");
  EXPECT_EQ(replica_.state().applied().index, log_.Last());
  EXPECT_EQ(replica_.state().applied().term, 4u);
}

TEST_F(ApplyTest, ExpiredKeysGoByALoggedStep) {
  for (int i = 0; i < 5; ++i) Run("SET k" + std::to_string(i) + " v PX 10");
  Run("SET stays v");
  EXPECT_FALSE(*replica_.state().HasExpired(kNoon + 9));
  EXPECT_TRUE(*replica_.state().HasExpired(kNoon + 10));
  log_.now_ms = kNoon + 10;
  log_.Add(EntryKind::kExpireKeys, EncodeExpireKeys({.limit = 3}));
  std::string next = Apply();
  EXPECT_EQ(replica_.state().stats().keys, 3u);
  log_.Add(EntryKind::kExpireKeys, next);
  EXPECT_EQ(Apply(), "");
  EXPECT_EQ(replica_.state().stats().keys, 1u);
  EXPECT_FALSE(*replica_.state().HasExpired(kNoon + 10));
}

TEST_F(ApplyTest, AnExpiryGivenAfterALookIsNoticed) {
  Run("SET late v PX 1000");
  EXPECT_FALSE(*replica_.state().HasExpired(kNoon + 500));
  Run("SET early v PX 600");
  EXPECT_FALSE(*replica_.state().HasExpired(kNoon + 599));
  EXPECT_TRUE(*replica_.state().HasExpired(kNoon + 600));
}

TEST_F(ApplyTest, CountsAreExactAndSurvive) {
  Run("SET a 1");
  Run("SET b 1");
  Run("SET a 2");
  Run("DEL b");
  EXPECT_EQ(Run("DBSIZE"), ":1\r\n");
  EXPECT_EQ(Read("DBSIZE"), ":1\r\n");
  replica_.Reopen();
  EXPECT_EQ(replica_.state().stats().keys, 1u);
  EXPECT_EQ(Run("DBSIZE"), ":1\r\n");
  Run("FLUSHALL");
  EXPECT_EQ(Run("DBSIZE"), ":0\r\n");
  EXPECT_EQ(replica_.state().stats().sessions, 1u);  // system records are not the user's data
}

TEST_F(ApplyTest, MembershipIsPartOfTheState) {
  using Ids = std::vector<raft::NodeId>;
  EXPECT_EQ(replica_.state().applied().membership.conf.voters, (Ids{1, 2, 3}));
  Run("SET k v");
  catalog::Member four;
  four.set_id(4);
  four.set_address("four:1");
  log_.Conf(replica_.state().applied().membership,
            {{{raft::ConfChangeKind::kAddLearner, 4}}, raftnode::EncodeMember(four)});
  Apply();
  replica_.Reopen();
  const raft::Index last =
      log_.Conf(replica_.state().applied().membership, {{{raft::ConfChangeKind::kRemove, 1}}, ""});
  Apply();
  replica_.Reopen();
  const raftnode::Membership membership = replica_.state().applied().membership;
  EXPECT_EQ(membership.conf.voters, (Ids{2, 3}));
  EXPECT_EQ(membership.conf.learners, (Ids{4}));
  EXPECT_EQ(membership.members.at(4).address(), "four:1");
  EXPECT_EQ(membership.highest_id, 4u);
  EXPECT_EQ(membership.index, last);
}

TEST_F(ApplyTest, MetricsCountWhatWasWritten) {
  Run("SET k v");
  Send({.session = session_, .seq = seq_}, {CommandOp("SET k v")});
  Send({.session = session_, .seq = seq_ + 9}, {CommandOp("SET k v")});
  obs::Registry& metrics = replica_.metrics();
  auto batches = [&](const char* code) {
    return metrics.AddCounter("kdb_apply_batches_total", "Batches applied", {{"code", code}})
        .Value();
  };
  EXPECT_EQ(batches("executed"), 1);
  EXPECT_EQ(batches("gap"), 1);
  obs::Counter& entries = metrics.AddCounter("kdb_apply_entries_total", "Log entries applied");
  EXPECT_EQ(entries.Value(), static_cast<double>(log_.Last()));
  log_.NoOp();
  replica_.engine().full = true;
  std::vector<Payload> results;
  EXPECT_FALSE(ApplyAndCommit(replica_.state(), std::span(log_.log()).last(1), &results).ok());
  EXPECT_EQ(entries.Value(), static_cast<double>(log_.Last() - 1));
}

TEST_F(ApplyTest, ABatchCostsFewRecordsBesideItsOps) {
  log_.OwnAll();
  OpenSession();
  std::vector<std::string> lines;
  for (int i = 0; i < 50; ++i) lines.push_back("SET k" + std::to_string(i) + " v");
  std::vector<wire::Op> ops;
  for (const std::string& line : lines) ops.push_back(CommandOp(line));
  for (uint64_t seq = 1; seq <= 2; ++seq) {
    Send({.session = session_, .seq = seq, .ack_below = seq}, ops);
  }
  size_t before = replica_.engine().records_written;
  Send({.session = session_, .seq = 3, .ack_below = 3}, ops);
  // 50 heads; the reply, the one trimmed, the session, the system record.
  EXPECT_EQ(replica_.engine().records_written - before, 54u);
}

}  // namespace
}  // namespace kdb::kv

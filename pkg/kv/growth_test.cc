#include "pkg/kv/growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

using testing::StartsWith;
using wire::ResultCode;

class GrowthTest : public ReplicaTest {
 protected:
  // As a leader without room would send it.
  void SendWithoutRoom(const std::vector<wire::Op>& ops) {
    const std::string batch = EncodedBatch({.session = session_, .seq = ++seq_}, ops);
    std::string rewritten = "untouched";
    refused_ = RefuseGrowth(batch, &rewritten);
    EXPECT_EQ(refused_ == 0, rewritten == "untouched");
    log_.Add(EntryKind::kBatch, refused_ == 0 ? batch : rewritten);
    bytes_ = Apply();
    auto reply = wire::DecodeBatchReply(bytes_);
    ASSERT_TRUE(reply.ok()) << reply.status();
    reply_ = *std::move(reply);
  }

  size_t refused_ = 0;
};

TEST_F(GrowthTest, WhatMayGrowIsRefusedAndTheRestOfItsBatchIsExecuted) {
  Run("SET k v");
  Run("SET gone v");
  SendWithoutRoom({CommandOp("SET k " + std::string(5000, 'x')), CommandOp("DEL gone"),
                   CommandOp("APPEND k more"), CommandOp("INCR n"), CommandOp("GET k"),
                   CommandOp("EXPIRE k 1000"), CommandOp("NOSUCH")});
  EXPECT_EQ(refused_, 3u);
  ASSERT_EQ(reply_.results.size(), 7u);
  for (size_t i : {0, 2, 3}) {
    EXPECT_EQ(reply_.results[i].code, ResultCode::kFailed);
    EXPECT_THAT(std::string(reply_.results[i].reply), StartsWith("-OOM "));
  }
  EXPECT_EQ(reply_.results[1].reply, ":1\r\n");
  EXPECT_EQ(reply_.results[4].reply, "$1\r\nv\r\n");
  EXPECT_EQ(reply_.results[5].reply, ":1\r\n");
  EXPECT_THAT(std::string(reply_.results[6].reply), StartsWith("-ERR "));
  EXPECT_EQ(Run("GET n"), "$-1\r\n");
  EXPECT_LT(log_.log().back().entry.data.size(), 500u)
      << "what is refused needs no room in the log";
}

TEST_F(GrowthTest, NothingToRefuse) {
  Run("SET k v");
  SendWithoutRoom({CommandOp("DEL k"), CommandOp("FLUSHALL")});
  EXPECT_EQ(refused_, 0u);
  EXPECT_EQ(reply_.results[0].reply, ":1\r\n");
}

// Another group may have room for it; after its deadline nothing is said of it but that.
TEST_F(GrowthTest, SlotsAndDeadlinesComeFirst) {
  log_.Own({shard::SlotOf("mine")});
  OpenSession();
  wire::Op late = CommandOp("SET mine v");
  late.not_after_ms = kNoon - 1;
  SendWithoutRoom({CommandOp("SET other v"), late});
  EXPECT_EQ(reply_.results[0].code, ResultCode::kNotOwner);
  EXPECT_EQ(reply_.results[1].code, ResultCode::kLate);
}

TEST_F(GrowthTest, WhatIsNoBatchIsLeftToApply) {
  std::string rewritten;
  EXPECT_EQ(RefuseGrowth("nonsense", &rewritten), 0u);
  EXPECT_EQ(rewritten, "");
}

}  // namespace
}  // namespace kdb::kv

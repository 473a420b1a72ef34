#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

using testing::StartsWith;
using wire::BatchCode;
using wire::ResultCode;

using ReadTest = ReplicaTest;

TEST_F(ReadTest, AnswersEveryOpAndEchoesTheId) {
  Run("SET k v");
  bool needs_tick = true;
  std::string bytes = *replica_.state().Read(
      EncodedBatch({}, {CommandOp("GET k"), CommandOp("NOSUCH"), CommandOp("STRLEN k")}), 77, kNoon,
      &needs_tick);
  auto reply = wire::DecodeBatchReply(bytes);
  ASSERT_TRUE(reply.ok());
  EXPECT_FALSE(needs_tick);
  EXPECT_EQ(reply->seq, 77u);
  ASSERT_EQ(reply->results.size(), 3u);
  EXPECT_EQ(reply->results[0].reply, "$1\r\nv\r\n");
  EXPECT_EQ(reply->results[1].code, ResultCode::kFailed);
  EXPECT_EQ(reply->results[2].reply, ":1\r\n");
}

TEST_F(ReadTest, WritesAreRefused) {
  Run("SET k v");
  for (const char* line : {"SET k w", "DEL k", "GETEX k PERSIST", "FLUSHALL"}) {
    Read(line);
    EXPECT_EQ(reply_.results[0].code, ResultCode::kFailed) << line;
  }
  EXPECT_EQ(Read("GET k"), "$1\r\nv\r\n");
}

TEST_F(ReadTest, MalformedBatches) {
  bool needs_tick = false;
  auto reply = wire::DecodeBatchReply(*replica_.state().Read("junk", 5, kNoon, &needs_tick));
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->code, BatchCode::kMalformed);
  EXPECT_EQ(reply->seq, 5u);
}

TEST_F(ReadTest, SlotsThatAreNotOwned) {
  log_.Own({shard::SlotOf("mine")}, 1, 1);
  OpenSession();
  Run("SET mine 1");
  EXPECT_EQ(Read("GET mine"), "$1\r\n1\r\n");
  Read("MGET mine other");
  EXPECT_EQ(reply_.results[0].code, ResultCode::kNotOwner);
}

TEST_F(ReadTest, HidingByTheLocalClockNeedsATick) {
  Run("SET k v PX 100");
  Run("SET other v");
  bool needs_tick = false;
  EXPECT_EQ(Read("GET k", kNoon + 99, &needs_tick), "$1\r\nv\r\n");
  EXPECT_FALSE(needs_tick);
  Read("GET k", kNoon + 100, &needs_tick);
  EXPECT_TRUE(needs_tick);
  // Reads that hide nothing go on.
  EXPECT_EQ(Read("GET other", kNoon + 100, &needs_tick), "$1\r\nv\r\n");
  EXPECT_FALSE(needs_tick);
  Read("MGET other k", kNoon + 100, &needs_tick);
  EXPECT_TRUE(needs_tick);
  Read("EXISTS k", kNoon + 100, &needs_tick);
  EXPECT_TRUE(needs_tick);

  log_.now_ms = kNoon + 100;
  log_.Add(EntryKind::kTick);
  Apply();
  EXPECT_EQ(Read("GET k", kNoon + 100, &needs_tick), "$-1\r\n");
  EXPECT_FALSE(needs_tick);
  // The hidden key never comes back, however far behind a clock is.
  EXPECT_EQ(Read("GET k", kNoon, &needs_tick), "$-1\r\n");
  EXPECT_FALSE(needs_tick);
}

TEST_F(ReadTest, WithoutATickAKeyStaysUntilLogTimeHasPassed) {
  Run("SET k v PX 100");
  EXPECT_EQ(Read("GET k", kNoon + 500, nullptr), "$1\r\nv\r\n");
  EXPECT_EQ(reply_.log_time_ms, kNoon + 500);
  EXPECT_EQ(Read("PTTL k", kNoon + 500, nullptr), ":0\r\n");
  EXPECT_EQ(Read("EXISTS k", kNoon + 500, nullptr), ":1\r\n");
  EXPECT_EQ(Read("KEYS *", kNoon + 500, nullptr), "*1\r\n$1\r\nk\r\n");
  log_.now_ms = kNoon + 100;
  log_.Add(EntryKind::kTick);
  Apply();
  EXPECT_EQ(Read("GET k", kNoon + 500, nullptr), "$-1\r\n");
}

TEST_F(ReadTest, TtlIsOfTheLocalClock) {
  Run("SET k v PX 100");
  bool needs_tick = false;
  EXPECT_EQ(Read("PTTL k", kNoon + 40, &needs_tick), ":60\r\n");
  EXPECT_FALSE(needs_tick);
}

TEST_F(ReadTest, CountsAreOfTheSnapshot) {
  Run("SET a 1");
  Run("SET b 1");
  EXPECT_EQ(Read("DBSIZE"), ":2\r\n");
}

// A slot becomes owned and gets its first key in one Apply: a read sees both or neither, whenever
// it runs.
class ReadBesideApplyTest : public ReplicaTest {
 protected:
  void SetUp() override {
    OpenSession();
    log_.Own({shard::SlotOf("k")});
    log_.Batch({.session = session_, .seq = 1}, {CommandOp("SET k v")});
  }

  void ApplyBoth() {
    std::vector<Payload> results = replica_.CatchUp(log_.log(), 2);
    ASSERT_EQ(results.size(), 2u);
  }
  wire::Result ReadKey() {
    Read("GET k");
    return reply_.results[0];
  }
};

TEST_F(ReadBesideApplyTest, BeforeAndAfterTheWrite) {
  int reads = 0;
  replica_.engine().before_write = [&] {
    EXPECT_EQ(ReadKey().code, ResultCode::kNotOwner);
    ++reads;
  };
  replica_.engine().after_write = [&] {
    EXPECT_EQ(ReadKey().reply, "$1\r\nv\r\n");
    ++reads;
  };
  ApplyBoth();
  EXPECT_EQ(reads, 2);
}

TEST_F(ReadBesideApplyTest, AroundTheSnapshot) {
  // The whole Apply falls between the read's look at the ownership and its snapshot.
  bool applied = false;
  replica_.engine().before_snapshot = [&] {
    if (!std::exchange(applied, true)) ApplyBoth();
  };
  EXPECT_EQ(ReadKey().reply, "$1\r\nv\r\n");
}

TEST_F(ReadBesideApplyTest, BetweenTheSnapshotAndTheSecondLook) {
  bool applied = false;
  replica_.engine().after_snapshot = [&] {
    if (!std::exchange(applied, true)) ApplyBoth();
  };
  EXPECT_EQ(ReadKey().code, ResultCode::kNotOwner);
}

TEST_F(ReadBesideApplyTest, AWriteThatFailed) {
  replica_.engine().full = true;
  std::vector<Payload> results;
  EXPECT_FALSE(
      ApplyAndCommit(replica_.state(), std::span(log_.log()).subspan(log_.Last() - 2), &results)
          .ok());
  EXPECT_EQ(ReadKey().code, ResultCode::kNotOwner);
  replica_.engine().full = false;
  ApplyBoth();
  EXPECT_EQ(ReadKey().reply, "$1\r\nv\r\n");
}

// An entry's time counts from the moment that its effects can be seen.
TEST_F(ReadTest, TimeIsNeverBehindTheSnapshot) {
  Run("SET old v PX 100");
  log_.now_ms = kNoon + 100;
  replica_.engine().after_write = [&] {
    bool needs_tick = true;
    EXPECT_EQ(Read("MGET new old", kNoon, &needs_tick), "*2\r\n$1\r\nv\r\n$-1\r\n");
    EXPECT_FALSE(needs_tick);
  };
  Run("SET new v");
}

TEST_F(ReadTest, RandomKeyVaries) {
  for (char c = 'a'; c <= 'z'; ++c) Run(std::string("SET ") + c + " 1");
  std::set<std::string> seen;
  for (uint64_t id = 0; id < 64; ++id) {
    bool needs_tick = false;
    const std::string batch = EncodedBatch({}, {CommandOp("RANDOMKEY")});
    seen.insert(replica_.state().Read(batch, id, kNoon, &needs_tick)->substr(30));
  }
  EXPECT_GT(seen.size(), 5u);
}

}  // namespace
}  // namespace kdb::kv

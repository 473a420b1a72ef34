// server::Replica alone in its group: what it answers when the disk is full, and while it replays.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "pkg/base/check.h"
#include "pkg/shard/slot.h"
#include "pkg/testing/sim/cluster.h"
#include "pkg/wire/batch.h"

namespace kdb::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using wire::BatchCode;

Scenario OneServer() {
  Scenario scenario;
  scenario.seed = 7;
  scenario.servers = 1;
  scenario.proxies = 0;
  scenario.replica.raft.wal_dir = "/data/log";
  scenario.replica.raft.wal.segment_bytes = 1 << 16;
  return scenario;
}

class ReplicaTest : public ::testing::Test {
 protected:
  ReplicaTest() : world_(OneServer(), false), cluster_(world_) {
    KDB_CHECK(cluster_.Boot());
    auto opened = Await<absl::StatusOr<kv::OpenedSession>>(
        [&](auto done) { server().replica().OpenSession(std::move(done)); });
    session_ = opened->session;
  }
  ~ReplicaTest() override { EXPECT_TRUE(world_.problems.empty()); }

  SimServer& server() { return *cluster_.servers().front(); }

  template <typename T, typename Call>
  T Await(Call call) {
    auto result = std::make_shared<std::optional<T>>();  // shared with a callback that may be late
    call([result](T value) { *result = std::move(value); });
    KDB_CHECK(world_.loop.RunUntil([&] { return result->has_value(); }, seconds(10)));
    return **result;
  }

  static std::string Encoded(const wire::BatchHeader& header, wire::CommandArgs args) {
    wire::BatchBuilder builder;
    wire::Op op;
    op.slots.push_back(shard::SlotOf(args[1]));
    op.commands.push_back(std::move(args));
    builder.AddOp(op);
    return builder.Finish(header);
  }
  // The code, and the reply when it was executed.
  std::pair<BatchCode, std::string> Decoded(const absl::StatusOr<Payload>& answer) {
    KDB_CHECK(answer.ok());
    auto reply = wire::DecodeBatchReply(answer->view());
    KDB_CHECK(reply.ok());
    return {reply->code, reply->results.empty() ? "" : std::string(reply->results[0].reply)};
  }
  std::pair<BatchCode, std::string> Write(wire::CommandArgs args) {
    const std::string batch = Encoded({.session = session_, .seq = ++seq_}, std::move(args));
    return Decoded(Await<absl::StatusOr<Payload>>(
        [&](auto done) { server().replica().Write(batch, std::move(done)); }));
  }
  std::pair<BatchCode, std::string> Read(wire::CommandArgs args) {
    return Decoded(Await<absl::StatusOr<Payload>>([&](auto done) {
      server().replica().Read(Encoded({}, std::move(args)), 1, std::move(done));
    }));
  }

  World world_;
  Cluster cluster_;
  uint64_t session_ = 0;
  uint64_t seq_ = 0;
};

TEST_F(ReplicaTest, AnExpiredKeyDoesNotHoldUpReadsOfAFullDisk) {
  ASSERT_EQ(Write({"SET", "k", "v", "PX", "5000"}).first, BatchCode::kExecuted);
  server().SetDiskCapacity(1 << 20);
  world_.loop.RunFor(seconds(6));
  // Log time stands still: by it the key is there.
  EXPECT_EQ(Write({"SET", "n", "1"}).first, BatchCode::kDiskFull);
  --seq_;
  EXPECT_EQ(Read({"GET", "k"}), std::pair(BatchCode::kExecuted, std::string("$1\r\nv\r\n")));
  EXPECT_EQ(Read({"PTTL", "k"}), std::pair(BatchCode::kExecuted, std::string(":0\r\n")));
  EXPECT_EQ(Read({"GET", "other"}), std::pair(BatchCode::kExecuted, std::string("$-1\r\n")));

  server().SetDiskCapacity(1 << 30);
  world_.loop.RunFor(seconds(2));
  EXPECT_EQ(Read({"GET", "k"}), std::pair(BatchCode::kExecuted, std::string("$-1\r\n")));
  // It never comes back.
  server().SetDiskCapacity(1 << 20);
  world_.loop.RunFor(seconds(6));
  EXPECT_EQ(Read({"GET", "k"}), std::pair(BatchCode::kExecuted, std::string("$-1\r\n")));
}

TEST_F(ReplicaTest, ReplayTellsHowFarItIs) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(Write({"INCR", "n"}).first, BatchCode::kExecuted);
  EXPECT_TRUE(server().replica().Started().ok());
  world_.loop.RunFor(seconds(1));  // a mark, and the commit index with it
  const raft::Index applied = server().replica().RaftStatus().applied;
  server().Stop(End::kPowerOff);
  server().Start();
  absl::Status status = server().replica().Started();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("the log is being replayed: applied "));
  EXPECT_THAT(status.ToString(), HasSubstr(" of " + std::to_string(applied)));
  EXPECT_TRUE(world_.loop.RunUntil([&] { return server().replica().Started().ok(); }, seconds(5)));
}

}  // namespace
}  // namespace kdb::sim

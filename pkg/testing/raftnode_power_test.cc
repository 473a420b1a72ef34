// RaftNode with the power failing, or the disk, at every call of its log: what was acknowledged is
// there after the restart.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pkg/testing/raft_cluster.h"

namespace kdb::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

raftnode::Options SmallLog() {
  raftnode::Options options = RaftCluster::DefaultOptions();
  options.wal.segment_bytes = 16 << 10;
  options.flush_log_bytes = 8 << 10;  // with it the log is cut
  options.log_keep_bytes = 0;
  return options;
}

// One member that leads, and a client that notes what was acknowledged.
class Writer {
 public:
  explicit Writer(uint64_t seed) : cluster_(seed, 1, SmallLog()) {
    cluster_.StartAll();
    cluster_.AwaitLeader();
  }

  RaftMember& member() { return cluster_.member(1); }

  // False: the node failed before the end.
  bool WriteAll() {
    for (int i = 0; i < 12; ++i) {
      const std::string value = fmt::format("{:04}{}", i, std::string(2000, 'v'));
      member().node().Propose(Payload(value), [this, value](absl::StatusOr<Payload> r) {
        if (r.ok()) acknowledged_.push_back(value);
      });
      // Idle at times, so that marks are written, too.
      cluster_.loop.RunFor(milliseconds(i % 4 == 3 ? 30 : 3));
    }
    cluster_.loop.RunFor(milliseconds(100));
    return member().fatal.ok();
  }

  // A failed node says so to whoever comes later.
  void ExpectRefusal() {
    absl::Status later = cluster_.Propose(member(), "later").status();
    EXPECT_TRUE(absl::IsUnavailable(later)) << later;
  }

  void RestartAndCheck() {
    member().Crash();
    absl::Status start = member().Start();
    ASSERT_TRUE(start.ok()) << start;
    cluster_.AwaitLeader();
    const std::vector<std::string>& values = member().machine().values();
    ASSERT_GE(values.size(), acknowledged_.size());
    for (size_t i = 0; i < acknowledged_.size(); ++i) EXPECT_EQ(values[i], acknowledged_[i]);
  }

 private:
  std::vector<std::string> acknowledged_;
  RaftCluster cluster_;  // last: its end answers what is pending
};

TEST(RaftNodePower, MayFailAtEveryCallThatChangesSomething) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    bool finished = false;
    for (uint64_t n = 0; !finished; ++n) {
      SCOPED_TRACE(fmt::format("seed {}, stopped after {}", seed, n));
      ASSERT_LT(n, 1000u);
      Writer writer(seed);
      writer.member().fs.faults().StopAfter(n);
      finished = writer.WriteAll();
      writer.RestartAndCheck();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(RaftNodePower, AnInputOutputErrorOfAnyCallIsTheEnd) {
  uint64_t calls = 0, n = 0;
  do {
    SCOPED_TRACE(fmt::format("call {} fails", n));
    Writer writer(1);
    calls = 0;
    writer.member().fs.faults().SetHook([&](FsOp op, const std::string& path) {
      if (op == FsOp::kStat) return absl::OkStatus();  // how much room there is: only a hint
      return calls++ == n ? absl::DataLossError(fmt::format("{}: EIO", path)) : absl::OkStatus();
    });
    const bool finished = writer.WriteAll();
    EXPECT_EQ(finished, calls <= n);
    if (!finished) {
      EXPECT_THAT(writer.member().fatal.ToString(), HasSubstr("EIO"));
      EXPECT_THAT(writer.member().fatal.ToString(), HasSubstr("/data/wal"));
      writer.ExpectRefusal();
    }
    writer.RestartAndCheck();
    if (::testing::Test::HasFailure()) return;
  } while (calls > n++);
  EXPECT_GT(n, 30u);
}

}  // namespace
}  // namespace kdb::testing

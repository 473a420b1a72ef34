// RaftNode with the power failing, or the disk, at every call of its log: what was acknowledged is
// there after the restart.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
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
        if (raftnode::IsDiskFull(r.status())) refused_.insert(value);
      });
      // Idle at times, so that marks are written, too.
      cluster_.loop.RunFor(milliseconds(i % 4 == 3 ? 30 : 3));
    }
    cluster_.loop.RunFor(milliseconds(100));
    return member().fatal.ok();
  }

  // Proposals are taken again, after some time perhaps.
  void ExpectGoesOn() {
    auto taken = [this] { return cluster_.Propose(member(), "later").ok(); };
    bool ok = false;
    for (int i = 0; i < 20 && !ok; ++i) {
      cluster_.loop.RunFor(milliseconds(200));
      ok = taken();
    }
    EXPECT_TRUE(ok) << member().fatal;
    if (ok) acknowledged_.push_back("later");
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
    // All that was acknowledged is there, in order, perhaps between what nobody was told of.
    auto at = values.begin();
    for (const std::string& value : acknowledged_) {
      at = std::find(at, values.end(), value);
      ASSERT_NE(at, values.end()) << value.substr(0, 10) << " is lost";
      ++at;
    }
    for (const std::string& value : values) EXPECT_FALSE(refused_.contains(value));
  }

 private:
  std::vector<std::string> acknowledged_;
  std::set<std::string> refused_;  // for want of room: they never happened
  RaftCluster cluster_;            // last: its end answers what is pending
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

// There is no room at some call, nor at those behind it until `in_vain` were tried; of the calls
// that `asks` names.
class NoRoom {
 public:
  NoRoom(FaultPlan& faults, bool (*asks)(FsOp), uint64_t first, uint64_t in_vain) {
    faults.SetHook([this, asks, first, in_vain](FsOp op, const std::string& path) {
      if (!asks(op)) return absl::OkStatus();
      const bool full = calls_ >= first && calls_ < first + in_vain;
      ++calls_;
      return full ? absl::ResourceExhaustedError(fmt::format("{}: ENOSPC", path))
                  : absl::OkStatus();
    });
  }
  uint64_t calls() const { return calls_; }

 private:
  uint64_t calls_ = 0;
};

TEST(RaftNodePower, WithoutRoomForASegmentItRefusesAndGoesOnByItself) {
  for (uint64_t in_vain : {1, 3, 20}) {
    for (uint64_t first = 0;; ++first) {
      SCOPED_TRACE(fmt::format("no room at calls {} to {}", first, first + in_vain - 1));
      Writer writer(1);
      NoRoom no_room(
          writer.member().fs.faults(), [](FsOp op) { return op == FsOp::kAllocate; }, first,
          in_vain);
      EXPECT_TRUE(writer.WriteAll()) << writer.member().fatal;
      writer.ExpectGoesOn();
      writer.RestartAndCheck();
      if (::testing::Test::HasFailure()) return;
      if (no_room.calls() <= first) break;
    }
  }
}

// Where room was promised, as for the content of a segment, the log is not trusted any more.
TEST(RaftNodePower, WithoutRoomAtAnyCallItGoesOnOrEndsAndLosesNothing) {
  auto may_grow = [](FsOp op) {
    return op == FsOp::kOpen || op == FsOp::kWrite || op == FsOp::kAllocate || op == FsOp::kSync ||
           op == FsOp::kRename || op == FsOp::kHardLink || op == FsOp::kCreateDir ||
           op == FsOp::kSyncDir;
  };
  int ended = 0, went_on = 0;
  for (uint64_t first = 0;; ++first) {
    SCOPED_TRACE(fmt::format("no room at call {}", first));
    Writer writer(1);
    NoRoom no_room(writer.member().fs.faults(), may_grow, first, 1);
    const bool finished = writer.WriteAll();
    writer.member().fs.faults().Clear();
    ++(finished ? went_on : ended);
    if (finished) {
      writer.ExpectGoesOn();
    } else {
      EXPECT_THAT(writer.member().fatal.ToString(), HasSubstr("ENOSPC"));
      writer.ExpectRefusal();
    }
    writer.RestartAndCheck();
    if (::testing::Test::HasFailure()) return;
    if (no_room.calls() <= first) break;
  }
  EXPECT_GT(went_on, 5);
  EXPECT_GT(ended, 20);
}

}  // namespace
}  // namespace kdb::testing

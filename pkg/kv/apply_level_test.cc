// Replicas of different releases on one log: the older halts, it never skips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

using testing::HasSubstr;

class ApplyLevelTest : public ReplicaTest {
 protected:
  ApplyLevelTest() { Run("SET k v"); }

  // Applies what is new in the log to a replica that cannot.
  void ExpectHalt(const std::string& why) {
    const raft::Index before = replica_.state().applied().index;
    std::vector<Payload> results;
    absl::Status status =
        ApplyAndCommit(replica_.state(), std::span(log_.log()).subspan(before), &results);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr(why));
    EXPECT_THAT(status.ToString(), HasSubstr("run the newer release"));
    EXPECT_TRUE(results.empty());
    EXPECT_EQ(replica_.state().applied().index, before);
  }
};

TEST_F(ApplyLevelTest, AnEntryOfANewerReleaseHaltsTheReplica) {
  for (const char* head : {"\x01\x0b", "\x02\x01"}) {
    LogBuilder before = log_;
    log_.Raw(head + std::string(8, '\0') + "body");
    ExpectHalt("not known");
    // A restart does not get past it either, and nothing behind it is applied.
    replica_.Reopen();
    log_.Add(EntryKind::kTick);
    ExpectHalt("not known");
    log_ = before;
  }
}

TEST_F(ApplyLevelTest, WhatStandsBeforeItInTheSameApplyIsNotLost) {
  log_.Batch({.session = session_, .seq = ++seq_}, {CommandOp("SET k w")});
  log_.Add(EntryKind::kRaiseLevel, EncodeRaiseLevel(kApplyLevel + 1));
  ExpectHalt("apply level 1 is not known, only up to 0");
  EXPECT_EQ(Read("GET k"), "$1\r\nv\r\n");
  Replica newer({.known_apply_level = kApplyLevel + 1});
  newer.CatchUp(log_.log(), 3);
  EXPECT_EQ(newer.state().applied().index, log_.Last());
}

TEST_F(ApplyLevelTest, ALevelIsRaisedForEver) {
  Replica newer({.known_apply_level = 3});
  log_.Add(EntryKind::kRaiseLevel, EncodeRaiseLevel(2));
  log_.Add(EntryKind::kRaiseLevel, EncodeRaiseLevel(1));
  std::vector<Payload> results = newer.CatchUp(log_.log());
  EXPECT_EQ(*DecodeRaiseLevel(results.back().view()), 2u);
  newer.Reopen();
  EXPECT_EQ(newer.state().stats().apply_level, 2u);
  // An older release does not open that state.
  obs::Registry metrics;
  absl::Status older =
      ShardState::Open({.known_apply_level = 1}, TestBirth(), newer.engine(), metrics).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(older)) << older;
  EXPECT_THAT(older.ToString(), HasSubstr("apply level 2"));
}

TEST_F(ApplyLevelTest, AKnownLevelIsNoNews) {
  log_.Add(EntryKind::kRaiseLevel, EncodeRaiseLevel(kApplyLevel));
  EXPECT_EQ(*DecodeRaiseLevel(Apply()), kApplyLevel);
  EXPECT_EQ(Run("GET k"), "$1\r\nv\r\n");
}

}  // namespace
}  // namespace kdb::kv

// One node by itself.
#include "pkg/raft/raft.h"

#include <gtest/gtest.h>

#include "pkg/raft/memory_log_test.h"

namespace kdb::raft {
namespace {

class SingleNodeTest : public testing::Test {
 protected:
  SingleNodeTest() {
    Initial initial;
    initial.conf.voters = {1};
    Config config;
    config.id = 1;
    raft_ = std::make_unique<Raft>(config, initial, log_, Random(1));
  }

  Ready Take() {
    Ready r = raft_->TakeReady();
    log_.Append(r.entries);
    return r;
  }

  MemoryLog log_;
  std::unique_ptr<Raft> raft_;
};

TEST_F(SingleNodeTest, LeadsAndCommitsOnlyWhatIsDurable) {
  raft_->Campaign();
  EXPECT_EQ(raft_->role(), Role::kCandidate);
  Ready vote = Take();
  EXPECT_TRUE(vote.must_sync);
  EXPECT_EQ(vote.hard_state, (HardState{1, 1, 0}));
  EXPECT_FALSE(raft_->HasReady());
  raft_->Persisted(vote.seq);
  EXPECT_EQ(raft_->role(), Role::kLeader);

  EXPECT_EQ(*raft_->Propose({Payload("a"), Payload("b")}), 2u);
  Ready append = Take();
  EXPECT_EQ(append.entries.size(), 3u);
  EXPECT_TRUE(append.committed.empty());
  EXPECT_EQ(raft_->Status().commit, 0u);
  raft_->Persisted(append.seq);
  EXPECT_EQ(raft_->Status().commit, 3u);
  EXPECT_EQ(Take().committed.size(), 3u);
  raft_->Applied(3);
  EXPECT_EQ(raft_->Status().applied, 3u);
}

TEST_F(SingleNodeTest, ReadsWaitForTheFirstCommitOfTheTerm) {
  raft_->Campaign();
  raft_->Persisted(Take().seq);
  ASSERT_TRUE(raft_->ReadIndex(7).ok());
  Ready append = Take();
  EXPECT_TRUE(append.read_states.empty());
  raft_->Persisted(append.seq);
  Ready read = Take();
  ASSERT_EQ(read.read_states.size(), 1u);
  EXPECT_EQ(read.read_states[0].context, 7u);
  EXPECT_EQ(read.read_states[0].index, 1u);
}

TEST_F(SingleNodeTest, UncommittedProposalsAreBounded) {
  raft_->Campaign();
  raft_->Persisted(Take().seq);
  std::string huge(65 << 20, 'x');
  ASSERT_TRUE(raft_->Propose({Payload(huge)}).ok());
  EXPECT_EQ(raft_->Propose({Payload("a")}).status().code(), absl::StatusCode::kResourceExhausted);
  raft_->Persisted(Take().seq);
  EXPECT_TRUE(raft_->Propose({Payload("a")}).ok());
  EXPECT_EQ(raft_->Propose({}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(SingleNodeTest, StalledNodeDoesNotLead) {
  raft_->Campaign();
  raft_->Persisted(Take().seq);
  raft_->SetStalled(true);
  EXPECT_EQ(raft_->role(), Role::kFollower);
  for (int i = 0; i < 100; ++i) raft_->Tick();
  EXPECT_EQ(raft_->role(), Role::kFollower);
  raft_->SetStalled(false);
  for (int i = 0; i < 20; ++i) raft_->Tick();
  EXPECT_EQ(raft_->role(), Role::kCandidate);
}

TEST(PassiveNodeTest, WithoutConfigurationNeitherVotesNorCampaigns) {
  MemoryLog log;
  Config config;
  config.id = 4;
  Raft raft(config, {}, log, Random(1));
  for (int i = 0; i < 100; ++i) raft.Tick();
  EXPECT_EQ(raft.role(), Role::kFollower);
  Message vote;
  vote.type = MessageType::kVote;
  vote.from = 1;
  vote.to = 4;
  vote.term = 3;
  raft.Step(vote);
  Ready r = raft.TakeReady();
  EXPECT_TRUE(r.messages.empty() && r.messages_after_persist.empty());

  Message append = vote;
  append.type = MessageType::kAppend;
  append.entries = {{1, 3, EntryType::kNormal, Payload("a")}};
  raft.Step(append);
  r = raft.TakeReady();
  EXPECT_EQ(r.entries.size(), 1u);
  ASSERT_EQ(r.messages_after_persist.size(), 1u);
  EXPECT_EQ(r.messages_after_persist[0].index, 1u);
}

}  // namespace
}  // namespace kdb::raft

// One behaviour per test, named after the sections of Ongaro's thesis, on a single node that is fed
// by hand.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "pkg/raft/memory_log_test.h"
#include "pkg/raft/raft.h"

namespace kdb::raft {
namespace {

std::vector<Entry> MakeEntries(Index first, const std::vector<Term>& terms) {
  std::vector<Entry> out;
  for (Term t : terms) out.push_back({first++, t, EntryType::kNormal, Payload(std::string("d"))});
  return out;
}

// Node 1 of {1, 2, 3}.
class ThesisTest : public testing::Test {
 protected:
  // Starts with entries of `terms` and a hard state in `term`.
  void Start(Term term, const std::vector<Term>& terms, Index commit = 0, NodeId vote = kNoNode) {
    log_ = MemoryLog();
    log_.Append(MakeEntries(1, terms));
    Initial initial;
    initial.hard_state = {term, vote, commit};
    initial.conf.voters = {1, 2, 3};
    Config config;
    config.id = 1;
    raft_ = std::make_unique<Raft>(config, initial, log_, Random(1));
  }

  Message From(NodeId from, MessageType type, Term term) {
    Message m;
    m.type = type;
    m.from = from;
    m.to = 1;
    m.term = term;
    return m;
  }

  Message Append(Term term, Index index, Term log_term, std::vector<Entry> entries,
                 Index commit = 0) {
    Message m = From(2, MessageType::kAppend, term);
    m.index = index;
    m.log_term = log_term;
    m.entries = std::move(entries);
    m.commit = commit;
    return m;
  }

  Ready Take() {
    Ready r = raft_->TakeReady();
    log_.Append(r.entries);
    return r;
  }

  // Takes, persists and returns the only message of what is ready.
  Message Only() {
    Ready r = Take();
    raft_->Persisted(r.seq);
    EXPECT_EQ(r.messages.size() + r.messages_after_persist.size(), 1u);
    return r.messages.empty() ? r.messages_after_persist.at(0) : r.messages.at(0);
  }

  void Lead() {
    raft_->Campaign();
    Take();
    raft_->Step(From(2, MessageType::kPreVoteReply, raft_->term() + 1));
    Ready r = Take();
    raft_->Persisted(r.seq);
    raft_->Step(From(2, MessageType::kVoteReply, raft_->term()));
    ASSERT_EQ(raft_->role(), Role::kLeader);
  }

  bool Grants(NodeId candidate, Term term, Index last, Term last_term, MessageType type) {
    Message m = From(candidate, type, term);
    m.index = last;
    m.log_term = last_term;
    raft_->Step(m);
    return !Only().reject;
  }

  MemoryLog log_;
  std::unique_ptr<Raft> raft_;
};

TEST_F(ThesisTest, Section3_3_HigherTermMakesFollower) {
  Start(1, {});
  Lead();
  raft_->Step(From(3, MessageType::kAppendReply, 9));
  EXPECT_EQ(raft_->role(), Role::kFollower);
  EXPECT_EQ(raft_->term(), 9u);
  EXPECT_EQ(raft_->leader(), kNoNode);
}

TEST_F(ThesisTest, Section3_3_LowerTermIsAnsweredWithTheNewer) {
  Start(5, {});
  raft_->Step(Append(4, 0, 0, MakeEntries(1, {4})));
  Message reply = Only();
  EXPECT_TRUE(reply.reject);
  EXPECT_EQ(reply.term, 5u);
  EXPECT_EQ(log_.LastIndex(), 0u);
}

TEST_F(ThesisTest, Section3_4_OneVotePerTerm) {
  Start(1, {});
  EXPECT_TRUE(Grants(2, 2, 0, 0, MessageType::kVote));
  EXPECT_TRUE(Grants(2, 2, 0, 0, MessageType::kVote));
  EXPECT_FALSE(Grants(3, 2, 0, 0, MessageType::kVote));
  EXPECT_TRUE(Grants(3, 3, 0, 0, MessageType::kVote));
}

TEST_F(ThesisTest, Section3_4_VoteSurvivesARestart) {
  Start(2, {}, 0, 2);
  EXPECT_FALSE(Grants(3, 2, 0, 0, MessageType::kVote));
}

TEST_F(ThesisTest, Section3_4_TimeoutsAreRandom) {
  std::vector<int> ticks;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Config config;
    config.id = 1;
    MemoryLog log;
    Initial initial;
    initial.conf.voters = {1, 2, 3};
    Raft raft(config, initial, log, Random(seed));
    int n = 0;
    for (; raft.role() == Role::kFollower; ++n) raft.Tick();
    ticks.push_back(n);
  }
  auto [least, most] = std::minmax_element(ticks.begin(), ticks.end());
  EXPECT_EQ(*least, 10);
  EXPECT_EQ(*most, 19);
}

TEST_F(ThesisTest, Section3_5_AppendNeedsTheEntryBefore) {
  Start(1, {1, 1});
  raft_->Step(Append(1, 5, 1, MakeEntries(6, {1})));
  Message reply = Only();
  EXPECT_TRUE(reply.reject);
  EXPECT_EQ(reply.index, 5u);
  EXPECT_EQ(reply.hint_index, 2u);
  EXPECT_EQ(reply.hint_term, 1u);
}

// A driver sends the acknowledgement and calls Persisted only afterwards: the leader's next
// heartbeat may come between.
TEST_F(ThesisTest, AnAcknowledgementBeforePersistedIsNotALoss) {
  Start(1, {1, 1});
  raft_->Step(Append(1, 2, 1, MakeEntries(3, {1})));
  Ready write = Take();
  EXPECT_EQ(write.messages_after_persist.at(0).index, 3u);
  Message heartbeat = From(2, MessageType::kHeartbeat, 1);
  heartbeat.hint_index = 3;
  raft_->Step(heartbeat);
  Ready answer = Take();
  EXPECT_GE(answer.messages.at(0).index, heartbeat.hint_index);
}

TEST_F(ThesisTest, AFollowerKnowsWhatItHasLost) {
  Start(1, {1, 1});
  Message heartbeat = From(2, MessageType::kHeartbeat, 1);
  heartbeat.hint_index = 2;
  raft_->Step(heartbeat);
  EXPECT_EQ(raft_->lost(), 0u);
  heartbeat.hint_index = 4;
  raft_->Step(heartbeat);
  EXPECT_EQ(raft_->lost(), 4u);
  EXPECT_EQ(Take().messages.back().index, 2u);  // and says so
  // What comes later does not bring it back.
  raft_->Step(Append(1, 2, 1, MakeEntries(3, {1, 1})));
  raft_->Step(heartbeat);
  EXPECT_EQ(raft_->lost(), 4u);
}

TEST_F(ThesisTest, Section3_5_ConflictReplacesTheTail) {
  Start(3, {1, 1, 2, 2, 2});
  raft_->Step(Append(3, 2, 1, MakeEntries(3, {3})));
  EXPECT_EQ(Only().index, 3u);
  EXPECT_EQ(log_.LastIndex(), 3u);
  EXPECT_EQ(log_.TermAt(3), 3u);
}

// A delayed append must not cut what came after it.
TEST_F(ThesisTest, Section3_5_ShorterAppendKeepsTheTail) {
  Start(1, {1, 1, 1, 1});
  raft_->Step(Append(1, 1, 1, MakeEntries(2, {1})));
  EXPECT_EQ(Only().index, 2u);
  EXPECT_EQ(raft_->Status().last_index, 4u);
}

TEST_F(ThesisTest, Section3_5_CommitIsBoundedByTheMatch) {
  Start(2, {1, 1, 1, 1});
  raft_->Step(Append(2, 1, 1, MakeEntries(2, {1}), 4));
  EXPECT_EQ(raft_->Status().commit, 2u);
}

TEST_F(ThesisTest, Section3_5_MalformedAppendsAreIgnored) {
  Start(2, {1, 1});
  raft_->Step(Append(2, 2, 1, MakeEntries(4, {2})));
  raft_->Step(Append(2, 2, 1, MakeEntries(3, {2, 1})));
  raft_->Step(Append(2, 2, 1, MakeEntries(3, {7})));
  Ready r = Take();
  EXPECT_TRUE(r.entries.empty() && r.messages_after_persist.empty());
}

TEST_F(ThesisTest, Section3_6_1_VotesOnlyForUpToDateLogs) {
  Start(3, {1, 2, 2});
  EXPECT_FALSE(Grants(2, 4, 9, 1, MessageType::kVote));
  EXPECT_FALSE(Grants(2, 5, 2, 2, MessageType::kVote));
  EXPECT_TRUE(Grants(2, 6, 3, 2, MessageType::kVote));
  EXPECT_TRUE(Grants(3, 7, 1, 3, MessageType::kVote));
}

TEST_F(ThesisTest, Section3_6_2_EarlierTermsCommitWithTheOwn) {
  Start(1, {1, 1});
  Lead();
  Message ack = From(2, MessageType::kAppendReply, raft_->term());
  raft_->Persisted(Take().seq);
  ack.index = 2;
  raft_->Step(ack);
  EXPECT_EQ(raft_->Status().commit, 0u);
  ack.index = 3;
  raft_->Step(ack);
  EXPECT_EQ(raft_->Status().commit, 3u);
}

TEST_F(ThesisTest, Section3_10_TransferSkipsPreVoteAndStickiness) {
  Start(1, {1});
  raft_->Step(Append(1, 1, 1, {}));
  Take();
  raft_->Step(From(2, MessageType::kTransferTo, 1));
  EXPECT_EQ(raft_->role(), Role::kCandidate);
  Ready r = Take();
  ASSERT_EQ(r.messages_after_persist.size(), 2u);
  EXPECT_TRUE(r.messages_after_persist[0].force);
}

TEST_F(ThesisTest, Section4_1_ChangesWaitForACommitOfTheTerm) {
  Start(1, {1}, 1);
  Take();
  raft_->Applied(1);
  Lead();
  Message ack = From(2, MessageType::kAppendReply, raft_->term());
  ack.index = 2;
  ConfChange change{{{ConfChangeKind::kAddLearner, 4}}, ""};
  EXPECT_EQ(raft_->ProposeConfChange(change).status().message(),
            "nothing of this term has committed yet");
  raft_->Persisted(Take().seq);
  raft_->Step(ack);
  EXPECT_TRUE(raft_->ProposeConfChange(change).ok());
}

TEST_F(ThesisTest, Section4_2_3_LeaseIgnoresCandidates) {
  Start(1, {1});
  raft_->Step(Append(1, 1, 1, {}));
  Take();
  Message vote = From(3, MessageType::kVote, 5);
  vote.index = vote.log_term = 9;
  raft_->Step(vote);
  EXPECT_EQ(raft_->term(), 1u);
  EXPECT_FALSE(raft_->HasReady());
  vote.force = true;
  raft_->Step(vote);
  EXPECT_EQ(raft_->term(), 5u);
  EXPECT_FALSE(Only().reject);
}

TEST_F(ThesisTest, Section5_3_SnapshotWithinTheLogIsRefused) {
  Start(1, {1, 1, 1, 1, 1}, 1);
  EXPECT_FALSE(raft_->WantsSnapshot({1, 1, {}}));  // committed
  EXPECT_FALSE(raft_->WantsSnapshot({3, 1, {}}));  // what is behind it may have been acknowledged
  EXPECT_TRUE(raft_->WantsSnapshot({3, 2, {}}));   // another entry: the tail is void
  EXPECT_TRUE(raft_->WantsSnapshot({9, 1, {}}));
  // The announcement of one that is not needed commits what it covers.
  Message m = From(2, MessageType::kSnapshot, 1);
  m.snapshot = {3, 1, {}};
  raft_->Step(m);
  EXPECT_EQ(raft_->Status().commit, 3u);
  EXPECT_EQ(Only().index, 3u);
}

TEST_F(ThesisTest, Section5_3_LogContinuesBehindTheSnapshot) {
  Start(1, {1, 1}, 1);
  Take();
  SnapshotMeta snapshot{9, 1, {{1, 2, 3}, {}, {}, {}, false}};
  ASSERT_TRUE(raft_->WantsSnapshot(snapshot));
  log_.Reset(9, 1);
  raft_->Restored(snapshot);
  RaftStatus s = raft_->Status();
  EXPECT_EQ(s.commit, 9u);
  EXPECT_EQ(s.applied, 9u);
  raft_->Step(Append(1, 9, 1, MakeEntries(10, {1})));
  Ready r = Take();
  EXPECT_EQ(r.entries.size(), 1u);
  EXPECT_EQ(r.hard_state->commit, 9u);
}

TEST_F(ThesisTest, Section5_3_WritesFromBeforeASnapshotCountForNothing) {
  Start(1, {1}, 1);
  raft_->Step(Append(1, 1, 1, MakeEntries(2, std::vector<Term>(20, 1))));
  Ready r = Take();
  log_.Reset(9, 2);
  raft_->Restored({9, 2, {{1, 2, 3}, {}, {}, {}, false}});
  raft_->Persisted(r.seq);
  EXPECT_EQ(raft_->Status().persisted, 9u);
  EXPECT_EQ(raft_->term(), 2u);
}

TEST_F(ThesisTest, Section6_4_StaleAnswerToAForwardedReadIsIgnored) {
  Start(1, {1});
  raft_->Step(Append(1, 1, 1, {}));
  Take();
  ASSERT_TRUE(raft_->ReadIndex(1).ok());
  Ready r = Take();
  ASSERT_EQ(r.messages.size(), 1u);
  Message answer = From(2, MessageType::kReadIndexReply, 1);
  answer.index = 1;
  answer.context = r.messages[0].context + 1;  // not asked
  raft_->Step(answer);
  answer.context = 1;  // as from before a restart
  raft_->Step(answer);
  EXPECT_FALSE(raft_->HasReady());
  answer.context = r.messages[0].context;
  raft_->Step(answer);
  raft_->Step(answer);
  EXPECT_EQ(Take().read_states.size(), 1u);
}

TEST_F(ThesisTest, Section9_6_PreVoteChangesNoTerm) {
  Start(1, {1});
  EXPECT_TRUE(Grants(2, 2, 1, 1, MessageType::kPreVote));
  EXPECT_TRUE(Grants(3, 2, 1, 1, MessageType::kPreVote));
  EXPECT_FALSE(Grants(3, 2, 0, 0, MessageType::kPreVote));
  EXPECT_EQ(raft_->term(), 1u);
  EXPECT_FALSE(raft_->HasReady());
}

TEST_F(ThesisTest, Section10_2_1_LateNoticesDoNotCoverReplacedEntries) {
  Start(1, {});
  raft_->Step(Append(1, 0, 0, MakeEntries(1, {1, 1, 1})));
  Ready first = Take();
  Message replace = Append(2, 1, 1, MakeEntries(2, {2, 2}), 3);
  replace.from = 3;
  raft_->Step(replace);
  Ready second = Take();
  raft_->Persisted(first.seq);
  EXPECT_EQ(raft_->Status().persisted, 1u);
  EXPECT_EQ(Take().committed.size(), 1u);
  raft_->Persisted(second.seq);
  EXPECT_EQ(raft_->Status().persisted, 3u);
  EXPECT_EQ(Take().committed.size(), 2u);
}

TEST_F(ThesisTest, Section10_2_1_NothingIsPromisedBeforeItIsDurable) {
  Start(1, {});
  raft_->Step(Append(1, 0, 0, MakeEntries(1, {1})));
  Ready r = Take();
  EXPECT_TRUE(r.messages.empty());
  ASSERT_EQ(r.messages_after_persist.size(), 1u);
  EXPECT_TRUE(r.must_sync);
}

}  // namespace
}  // namespace kdb::raft

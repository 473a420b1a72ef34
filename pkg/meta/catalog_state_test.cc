#include "pkg/meta/catalog_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "pkg/base/random.h"
#include "pkg/meta/catalog_rules.h"
#include "pkg/meta/catalog_text_test.h"
#include "pkg/storage/memory_engine.h"
#include "pkg/storage/system_record.h"

namespace kdb::meta {
namespace {

using ::testing::HasSubstr;

raftnode::CommittedEntry EntryOf(raft::Index index, Payload data) {
  raftnode::CommittedEntry committed;
  committed.entry.index = index;
  committed.entry.term = 1 + index / 4;
  committed.entry.data = std::move(data);
  return committed;
}

// The log of a small cluster: a no-op, commands, refusals, garbage.
std::vector<raftnode::CommittedEntry> SampleLog() {
  const char* commands[] = {
      "register gid=1 servers=a:1/u1,b:1/u2,c:1/u3",
      "register gid=2 servers=a:1/u1",
      "birth gid=1 cluster=c1 seed=1,2 servers=a:1/u1,b:1/u2,c:1/u3",
      "joined gid=1",
      "leader gid=1 member=3 term=2",
      "assign gid=1 slots=0-511",
      "assign gid=1 slots=512-1023",
      "owned gid=1 assignment=7",
      "leader gid=1 member=1 term=5",
  };
  std::vector<raftnode::CommittedEntry> log = {EntryOf(1, {})};
  for (const char* line : commands) {
    log.push_back(EntryOf(log.size() + 1, EncodeCommand(*ParseCommand(line))));
  }
  log.push_back(EntryOf(log.size() + 1, Payload("garbage")));
  raftnode::CommittedEntry change = EntryOf(log.size() + 1, Payload("opaque"));
  change.entry.type = raft::EntryType::kConfChange;
  raftnode::Membership members = raftnode::BirthMembership(MetaBirth());
  members.conf.learners = {4};
  members.index = change.entry.index;
  members.members[4].set_id(4);
  members.members[4].set_uuid("m4");
  members.members[4].set_address("10.0.0.4:8088");
  members.members[4].set_role(catalog::Member::LEARNER);
  change.membership = std::make_shared<const raftnode::Membership>(members);
  log.push_back(change);
  return log;
}

class CatalogStateTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<CatalogState>> Open() {
    return CatalogState::Open(MetaBirth(), *engine_, [this](const StatePtr& state) {
      published_ = state->catalog().version();
      ++publications_;
    });
  }

  std::unique_ptr<storage::MemoryEngine> engine_ = storage::NewMemoryEngine();
  uint64_t published_ = 0;
  int publications_ = 0;
};

TEST_F(CatalogStateTest, AnEmptyEngineHoldsTheBirth) {
  auto state = Open();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ((*state)->applied().index, 0u);
  EXPECT_EQ((*state)->applied().membership.conf.voters, (std::vector<raft::NodeId>{1, 2, 3}));
  EXPECT_EQ(StateText(*(*state)->state()), "cluster c1 version 1\n");
  EXPECT_EQ(*(*state)->PersistedIndex(), 0u);
}

TEST_F(CatalogStateTest, GivesOneResultPerEntryAndPublishesChanges) {
  auto state = Open();
  std::vector<raftnode::CommittedEntry> log = SampleLog();
  std::vector<Payload> results;
  ASSERT_TRUE((*state)->Apply(log, &results).ok());
  ASSERT_EQ(results.size(), log.size());
  EXPECT_TRUE(results[0].empty());
  EXPECT_EQ(DecodeResult(results[1])->version(), 2u);
  EXPECT_THAT(DecodeResult(results[2])->message(), HasSubstr("belongs to group 1"));
  EXPECT_EQ(DecodeResult(results[10])->code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_TRUE(results[11].empty());
  EXPECT_EQ((*state)->applied().index, log.size());
  EXPECT_EQ((*state)->applied().membership.conf.learners, std::vector<raft::NodeId>{4});
  // A change of meta's own members is one of the catalog.
  EXPECT_EQ(published_, log.size());
  EXPECT_THAT(StateText(*(*state)->state()),
              HasSubstr("meta 1=10.0.0.1:8088/m1 2=10.0.0.2:8088/m2 3=10.0.0.3:8088/m3 "
                        "4=10.0.0.4:8088/m4(learner) since 12\n"));
  EXPECT_EQ(publications_, 1);

  // A no-op is applied and publishes nothing.
  results.clear();
  ASSERT_TRUE((*state)->Apply({{EntryOf(13, {})}}, &results).ok());
  EXPECT_EQ(publications_, 1);
  EXPECT_EQ((*state)->applied().index, 13u);
}

TEST_F(CatalogStateTest, HaltsAtACommandOfANewerVersion) {
  auto state = Open();
  metalog::Command command = *ParseCommand("joined gid=1");
  command.set_level(kApplyLevel + 1);
  std::vector<Payload> results;
  absl::Status status =
      (*state)->Apply({{EntryOf(1, Payload(command.SerializeAsString()))}}, &results);
  EXPECT_THAT(std::string(status.message()), HasSubstr("start a newer one"));
  EXPECT_TRUE(results.empty());
  EXPECT_EQ((*state)->applied().index, 0u);
}

TEST_F(CatalogStateTest, HaltsAtAKindThatItDoesNotKnow) {
  auto state = Open();
  metalog::Command command;
  command.set_level(kApplyLevel);
  // Field 1000 of the next release's Command.
  command.GetReflection()->MutableUnknownFields(&command)->AddLengthDelimited(1000)->assign("x");
  std::vector<Payload> results;
  absl::Status status =
      (*state)->Apply({{EntryOf(1, Payload(command.SerializeAsString()))}}, &results);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a kind of command that is not known"));
  EXPECT_EQ((*state)->applied().index, 0u);
}

// A command of today, proposed by a newer release before the level is raised.
TEST_F(CatalogStateTest, CommandsNeedNoMoreThanTheirLevel) {
  metalog::Command command = *ParseCommand("joined gid=1");
  ASSERT_TRUE(command.ParseFromString(std::string(EncodeCommand(command).view())));
  EXPECT_EQ(command.level(), kBirthLevel);
}

TEST_F(CatalogStateTest, ALevelIsRaisedForEver) {
  metalog::Command raise;
  raise.mutable_raise_level()->set_level(kApplyLevel + 1);
  auto newer = CatalogState::Open(MetaBirth(), *engine_, nullptr, kApplyLevel + 1);
  metalog::Command lower;
  lower.mutable_raise_level()->set_level(kApplyLevel);
  std::vector<Payload> results;
  absl::Status halted = (*Open())->Apply({{EntryOf(1, EncodeCommand(raise))}}, &results);
  EXPECT_TRUE(absl::IsFailedPrecondition(halted)) << halted;
  EXPECT_THAT(std::string(halted.message()), HasSubstr("needs apply level 2"));
  const std::vector<raftnode::CommittedEntry> log = {EntryOf(1, EncodeCommand(raise)),
                                                     EntryOf(2, EncodeCommand(lower))};
  ASSERT_TRUE((*newer)->Apply(log, &results).ok());
  EXPECT_EQ(DecodeResult(results[0])->code(), 0);
  EXPECT_EQ(storage::ReadSystemRecord(*engine_)->apply_level, kApplyLevel + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Open().status()));
  EXPECT_TRUE(CatalogState::Open(MetaBirth(), *engine_, nullptr, kApplyLevel + 1).ok());
}

TEST_F(CatalogStateTest, RefusesAnotherClustersStateAndDamage) {
  auto state = Open();
  std::vector<Payload> results;
  ASSERT_TRUE((*state)->Apply(SampleLog(), &results).ok());
  catalog::BirthCertificate other = MetaBirth();
  other.set_cluster_id("c2");
  EXPECT_EQ(CatalogState::Open(other, *engine_, nullptr).status().code(),
            absl::StatusCode::kDataLoss);

  auto batch = engine_->NewBatch();
  batch->Put(std::string_view("\xFF\xFF\x01"
                              "catalog",
                              10),
             "\x02 from the future");
  ASSERT_TRUE(engine_->Write(*batch).ok());
  EXPECT_EQ(Open().status().code(), absl::StatusCode::kDataLoss);
}

// Whatever a crash loses, replay from the recovered index gives the state and the results of an
// undisturbed run.
TEST_F(CatalogStateTest, ReplayAfterACrashReachesTheSameState) {
  const uint64_t seed = SystemSeed();
  std::cout << "seed " << seed << "\n";
  Random random(seed);
  const std::vector<raftnode::CommittedEntry> log = SampleLog();
  std::vector<Payload> expected;
  auto undisturbed = Open();
  ASSERT_TRUE((*undisturbed)->Apply(log, &expected).ok());
  const std::string final_state = (*undisturbed)->state()->SerializeAsString();
  undisturbed->reset();

  for (int round = 0; round < 200; ++round) {
    engine_ = storage::NewMemoryEngine();
    auto state = Open();
    raft::Index flushed = 0;
    while ((*state)->applied().index < log.size()) {
      const size_t from = (*state)->applied().index;
      const size_t count = 1 + random.Uniform(log.size() - from);
      std::vector<Payload> results;
      ASSERT_TRUE((*state)->Apply(std::span(log).subspan(from, count), &results).ok());
      for (size_t i = 0; i < count; ++i) ASSERT_EQ(results[i], expected[from + i]);
      if (random.OneIn(3)) {
        ASSERT_TRUE((*state)->Flush().ok());
        flushed = *(*state)->PersistedIndex();
        ASSERT_EQ(flushed, (*state)->applied().index);
      }
      if (random.OneIn(3)) {
        state->reset();
        engine_->Crash(random);
        state = Open();
        ASSERT_TRUE(state.ok()) << state.status();
        ASSERT_GE((*state)->applied().index, flushed);
      }
    }
    ASSERT_EQ((*state)->state()->SerializeAsString(), final_state);
    ASSERT_EQ((*state)->applied().membership.conf.learners, std::vector<raft::NodeId>{4});
  }
}

}  // namespace
}  // namespace kdb::meta

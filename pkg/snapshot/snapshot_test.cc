// Fetching into a directory and installing, with the power failing at every step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pkg/base/random.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/snapshot/install.h"
#include "pkg/snapshot/staging.h"

namespace kdb::snapshot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr raft::Index kIndex = 40;
constexpr raft::Term kTerm = 7;
const raft::HardState kPromises{.term = 9, .vote = 2, .commit = 10};

class SnapshotTest : public ::testing::Test {
 protected:
  // A member whose log has the entries 1 to 10 of term 5, all applied.
  SnapshotTest() { Reset(); }
  void Reset() {
    fs_ = std::make_unique<MemoryFileSystem>();
    ASSERT_TRUE(CreateDirs(*fs_, paths_.state).ok());
    ASSERT_TRUE(CreateDirs(*fs_, paths_.log).ok());
    ASSERT_TRUE(WriteFileDurably(*fs_, paths_.state + "/old", "old state").ok());
    wal::Recovered recovered;
    auto log = wal::Wal::Open(*fs_, paths_.log, wal_, &recovered);
    ASSERT_TRUE(log.ok()) << log.status();
    std::vector<raft::Entry> entries;
    for (raft::Index i = 1; i <= 10; ++i)
      entries.push_back({i, 5, raft::EntryType::kNormal, Payload("e")});
    ASSERT_TRUE((*log)->Append(entries, kPromises).ok());
    ASSERT_TRUE((*log)->Sync().ok());
  }

  static Manifest MakeManifest(raft::Index index = kIndex, const std::string& id = "s1") {
    Manifest manifest;
    manifest.set_id(id);
    manifest.mutable_meta()->set_index(index);
    manifest.mutable_meta()->set_term(kTerm);
    for (int i = 0; i < 4; ++i) {
      auto* file = manifest.add_files();
      file->set_name("f" + std::to_string(i));
      file->set_bytes(i == 2 ? 0 : 1000 * i + 1);
    }
    return manifest;
  }
  static std::string Content(const raftpb::SnapshotFile& file) {
    return std::string(file.bytes(), file.name().back());
  }
  absl::Status Fetch(Staging& staging, size_t chunk = 700) {
    while (auto at = staging.next()) {
      const std::string content = Content(staging.manifest().files(at->file));
      if (absl::Status s = staging.Append(content.substr(at->offset, chunk)); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
  absl::Status FetchAndCommit(const Manifest& manifest) {
    auto staging = Staging::Open(*fs_, paths_, manifest);
    if (!staging.ok()) return staging.status();
    if (absl::Status s = Fetch(**staging); !s.ok()) return s;
    return (*staging)->Commit();
  }
  absl::StatusOr<Outcome> Install() { return snapshot::Install(*fs_, paths_, wal_); }

  struct Found {
    raft::HardState hard_state;
    raft::Index first = 0, last = 0;
    raft::Term compacted = 0;
    std::vector<std::string> state;
  };
  Found Look() {
    wal::Recovered recovered;
    auto log = wal::Wal::Open(*fs_, paths_.log, wal_, &recovered);
    EXPECT_TRUE(log.ok()) << log.status();
    auto names = fs_->List(paths_.state);
    EXPECT_TRUE(names.ok()) << names.status();
    return {recovered.hard_state, recovered.first_index, recovered.last_index,
            recovered.compacted_term, names.value_or(std::vector<std::string>())};
  }
  void ExpectOld() {
    Found found = Look();
    EXPECT_EQ(found.first, 1u);
    EXPECT_EQ(found.last, 10u);
    EXPECT_EQ(found.hard_state, kPromises);
    EXPECT_THAT(found.state, ElementsAre("old"));
  }
  void ExpectInstalled() {
    Found found = Look();
    EXPECT_EQ(found.first, kIndex + 1);
    EXPECT_EQ(found.last, kIndex);
    EXPECT_EQ(found.compacted, kTerm);
    EXPECT_EQ(found.hard_state, (raft::HardState{.term = 9, .vote = 2, .commit = kIndex}));
    EXPECT_THAT(found.state, ElementsAre("SNAPSHOT", "f0", "f1", "f2", "f3"));
    const Manifest manifest = MakeManifest();
    for (const auto& file : manifest.files()) {
      auto content = ReadFile(*fs_, paths_.state + "/" + file.name());
      EXPECT_EQ(content.value_or(content.status().ToString()), Content(file));
    }
  }
  // Beside log and state nothing is left.
  void ExpectTidy() { EXPECT_THAT(*fs_->List(paths_.dir), ElementsAre("db", "log")); }

  const Paths paths_{.dir = "/m", .state = "/m/db", .log = "/m/log"};
  const wal::Options wal_{.segment_bytes = 16 << 10, .seed = 1};
  std::unique_ptr<MemoryFileSystem> fs_;
};

TEST_F(SnapshotTest, TakesThePlaceOfStateAndLog) {
  ASSERT_TRUE(FetchAndCommit(MakeManifest()).ok());
  auto outcome = Install();
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(*outcome, Outcome::kInstalled);
  ExpectInstalled();
  ExpectTidy();
  EXPECT_EQ(*Install(), Outcome::kNothing);
  ExpectInstalled();
}

TEST_F(SnapshotTest, WithoutIntentNothingHappens) {
  auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
  ASSERT_TRUE(Fetch(*staging).ok());
  EXPECT_EQ(*Install(), Outcome::kNothing);
  ExpectOld();
}

// 5.3 of the paper, as Raft::WantsSnapshot: entries behind the snapshot's last stay.
TEST_F(SnapshotTest, ALogThatHasItsLastEntryIsKept) {
  Manifest manifest = MakeManifest(8);
  manifest.mutable_meta()->set_term(5);
  ASSERT_TRUE(FetchAndCommit(manifest).ok());
  EXPECT_EQ(*Install(), Outcome::kNotNeeded);
  ExpectOld();
  ExpectTidy();
}

TEST_F(SnapshotTest, ALogWithAnotherTermThereIsReplaced) {
  ASSERT_TRUE(FetchAndCommit(MakeManifest(8)).ok());
  EXPECT_EQ(*Install(), Outcome::kInstalled);
  EXPECT_EQ(Look().last, 8u);
}

TEST_F(SnapshotTest, AVoteOfAnOlderTermEndsWithIt) {
  Manifest manifest = MakeManifest();
  manifest.mutable_meta()->set_term(12);
  ASSERT_TRUE(FetchAndCommit(manifest).ok());
  EXPECT_EQ(*Install(), Outcome::kInstalled);
  EXPECT_EQ(Look().hard_state, (raft::HardState{.term = 12, .vote = 0, .commit = kIndex}));
}

TEST_F(SnapshotTest, FetchingGoesOnBehindWholeFiles) {
  {
    auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
    EXPECT_EQ(staging->total_bytes(), 1u + 1001 + 3001);
    ASSERT_TRUE(staging->Append("0").ok());
    ASSERT_TRUE(staging->Append(std::string(600, '1')).ok());
    EXPECT_EQ(staging->next(), (Staging::Position{.file = 1, .offset = 600}));
  }
  fs_->Crash();
  auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
  EXPECT_EQ(staging->next(), (Staging::Position{.file = 1, .offset = 0}));
  EXPECT_EQ(staging->staged_bytes(), 1u);
  ASSERT_TRUE(Fetch(*staging).ok());
  EXPECT_EQ(staging->staged_bytes(), staging->total_bytes());
  ASSERT_TRUE(staging->Commit().ok());
  EXPECT_EQ(*Install(), Outcome::kInstalled);
  ExpectInstalled();
}

TEST_F(SnapshotTest, FilesOfAnotherSnapshotAreNotMixedIn) {
  {
    auto staging = *Staging::Open(*fs_, paths_, MakeManifest(kIndex, "s0"));
    ASSERT_TRUE(staging->Append("x").ok());
  }
  auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
  EXPECT_EQ(staging->next(), (Staging::Position{}));
  EXPECT_THAT(*fs_->List(paths_.incoming()), ElementsAre("SNAPSHOT"));
}

TEST_F(SnapshotTest, BytesBeyondAFilesEndAreRefused) {
  auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
  EXPECT_TRUE(absl::IsInvalidArgument(staging->Append("ab")));
  EXPECT_TRUE(staging->Append("a").ok());
}

TEST_F(SnapshotTest, AFullDiskKeepsWhatIsThere) {
  auto staging = *Staging::Open(*fs_, paths_, MakeManifest());
  ASSERT_TRUE(staging->Append("0").ok());
  fs_->faults().Fail(FsOp::kWrite, "incoming", 0, absl::ResourceExhaustedError("full"), 1);
  EXPECT_TRUE(absl::IsResourceExhausted(staging->Append("1")));
  EXPECT_EQ(staging->next(), (Staging::Position{.file = 1, .offset = 0}));
  ASSERT_TRUE(Fetch(*staging).ok());
}

TEST_F(SnapshotTest, WhatWasRemovedIsMissed) {
  ASSERT_TRUE(FetchAndCommit(MakeManifest()).ok());
  ASSERT_TRUE(RemoveTree(*fs_, paths_.incoming()).ok());
  auto outcome = Install();
  EXPECT_TRUE(absl::IsDataLoss(outcome.status())) << outcome.status();
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("snapshot s1"));
  ExpectOld();
}

TEST_F(SnapshotTest, ADamagedIntentIsRefusedByName) {
  ASSERT_TRUE(FetchAndCommit(MakeManifest()).ok());
  std::string bytes = *ReadFile(*fs_, paths_.intent());
  bytes.back() ^= 1;
  ASSERT_TRUE(WriteFileDurably(*fs_, paths_.intent(), bytes).ok());
  auto outcome = Install();
  EXPECT_TRUE(absl::IsDataLoss(outcome.status())) << outcome.status();
  EXPECT_THAT(std::string(outcome.status().message()), HasSubstr("/m/install: the checksum"));
  ExpectOld();
}

// The table of crash states in FORMAT.md: whatever call is the last, afterwards the member is as
// before or has the snapshot, and never something between.
TEST_F(SnapshotTest, APowerFailureAtAnyCallLosesNothing) {
  const uint64_t seed = SystemSeed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  int old = 0, installed = 0;
  for (int last = 0;; ++last) {
    for (bool leak : {false, true}) {
      SCOPED_TRACE(last);
      Reset();
      fs_->faults().StopAfter(last);
      bool done = FetchAndCommit(MakeManifest()).ok() && Install().ok();
      leak ? fs_->Crash(random) : fs_->Crash();
      auto outcome = Install();
      ASSERT_TRUE(outcome.ok()) << outcome.status();
      bool is_old = Look().last == 10;
      is_old ? ExpectOld() : ExpectInstalled();
      if (!is_old) ExpectTidy();
      ++(is_old ? old : installed);
      if (HasFailure()) return;
      // Fetching goes on from any of the states.
      if (is_old) {
        ASSERT_TRUE(FetchAndCommit(MakeManifest()).ok());
        ASSERT_EQ(*Install(), Outcome::kInstalled);
        ExpectInstalled();
        ExpectTidy();
      }
      if (done && leak) {
        EXPECT_GT(old, 20);
        EXPECT_GT(installed, 10);
        return;
      }
    }
  }
}

TEST(ManifestTest, NamesStayInTheirDirectory) {
  for (const char* name : {"", ".", "..", "a/b", "../a", "SNAPSHOT", "a.part", "a b", "\xff"}) {
    Manifest manifest;
    manifest.set_id("s");
    manifest.mutable_meta()->set_index(1);
    manifest.mutable_meta()->set_term(1);
    EXPECT_TRUE(Check(manifest).ok());
    manifest.add_files()->set_name(name);
    EXPECT_TRUE(absl::IsInvalidArgument(Check(manifest))) << name;
  }
}

TEST(ManifestTest, NoFileIsThereTwice) {
  Manifest manifest;
  manifest.set_id("s");
  manifest.mutable_meta()->set_index(1);
  manifest.mutable_meta()->set_term(1);
  for (const char* name : {"000007.sst", "CURRENT", "MANIFEST-000005"}) {
    manifest.add_files()->set_name(name);
  }
  EXPECT_TRUE(Check(manifest).ok());
  manifest.add_files()->set_name("MANIFEST-000005");
  EXPECT_TRUE(absl::IsInvalidArgument(Check(manifest)));
}

}  // namespace
}  // namespace kdb::snapshot

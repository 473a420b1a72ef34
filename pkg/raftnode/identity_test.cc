#include "pkg/raftnode/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/env/memory_file_system.h"

namespace kdb::raftnode {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class IdentityTest : public ::testing::Test {
 protected:
  IdentityTest() { EXPECT_TRUE(CreateDirs(fs_, "/data").ok()); }

  Identity Load() {
    auto identity = LoadIdentity(fs_, "/data", ServerKind::kKv, random_);
    EXPECT_TRUE(identity.ok()) << identity.status();
    return identity.ok() ? *identity : Identity();
  }
  catalog::BirthCertificate Certificate(const std::string& uuid) {
    catalog::BirthCertificate c;
    c.set_cluster_id("c1");
    c.set_gid(7);
    for (uint64_t id : {1, 2, 3}) {
      catalog::Member& m = *c.add_members();
      m.set_id(id);
      m.set_uuid(id == 2 ? uuid : "other");
    }
    return c;
  }
  // Flips one bit of a byte of a file.
  void Damage(const std::string& path, size_t at) {
    std::string content = *ReadFile(fs_, path);
    content[at] ^= 1;
    ASSERT_TRUE(WriteFileDurably(fs_, path, content).ok());
  }

  MemoryFileSystem fs_;
  Random random_{1};
};

TEST_F(IdentityTest, UuidIsMadeOnceAndSurvivesPowerFailure) {
  Identity first = Load();
  EXPECT_THAT(first.uuid, MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  EXPECT_EQ(first.uuid.size(), 36);
  EXPECT_EQ(first.self(), std::nullopt);
  fs_.Crash();
  EXPECT_EQ(Load().uuid, first.uuid);
  Random other(2);
  EXPECT_NE(NewUuid(other), first.uuid);
}

TEST_F(IdentityTest, CertificateIsAcceptedForLife) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  EXPECT_EQ(identity.self()->id(), 2);
  fs_.Crash();
  Identity again = Load();
  EXPECT_EQ(again.self()->id(), 2);
  EXPECT_EQ(again.birth->gid(), 7);
  EXPECT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &again).ok());

  catalog::BirthCertificate foreign = Certificate(identity.uuid);
  foreign.set_cluster_id("c2");
  absl::Status refused = AcceptBirth(fs_, "/data", foreign, &again);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.ToString(), HasSubstr("belongs to cluster c1, group 7"));
}

TEST_F(IdentityTest, ALaterMemberIsToldAgainWhereverItIs) {
  Identity identity = Load();
  catalog::BirthCertificate told = Certificate(identity.uuid);
  told.mutable_members(1)->set_role(catalog::Member::LEARNER);
  ASSERT_TRUE(AcceptBirth(fs_, "/data", told, &identity).ok());
  catalog::BirthCertificate again = told;
  again.mutable_members(1)->set_address("elsewhere:1");
  EXPECT_TRUE(AcceptBirth(fs_, "/data", again, &identity).ok());
  again.mutable_members(1)->set_id(9);  // another member
  EXPECT_FALSE(AcceptBirth(fs_, "/data", again, &identity).ok());
  EXPECT_EQ(Load().self()->id(), 2);
}

TEST_F(IdentityTest, CertificateOfOthersIsRefused) {
  Identity identity = Load();
  absl::Status refused = AcceptBirth(fs_, "/data", Certificate("somebody"), &identity);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.ToString(), HasSubstr("does not name the UUID"));
  EXPECT_FALSE(Load().birth.has_value());
}

TEST_F(IdentityTest, ADirectoryBelongsToOneKindOfServer) {
  Identity identity = Load();
  for (bool born : {false, true}) {
    if (born) {
      ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
    }
    const std::string before = *ReadFile(fs_, "/data/identity");
    absl::Status refused = LoadIdentity(fs_, "/data", ServerKind::kMeta, random_).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_THAT(refused.ToString(), HasSubstr("directory /data"));
    EXPECT_THAT(refused.ToString(), HasSubstr("belongs to a kdb-kv, this is kdb-meta"));
    EXPECT_EQ(*ReadFile(fs_, "/data/identity"), before);
    EXPECT_EQ(Load().uuid, identity.uuid);
  }
}

TEST_F(IdentityTest, ACertificateIsForOneKindOfServer) {
  Identity kv = Load();
  catalog::BirthCertificate of_meta = Certificate(kv.uuid);
  of_meta.set_gid(0);
  absl::Status refused = AcceptBirth(fs_, "/data", of_meta, &kv);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(refused.ToString(), HasSubstr("belongs to a kdb-kv"));
  EXPECT_FALSE(Load().birth.has_value());

  ASSERT_TRUE(CreateDirs(fs_, "/meta").ok());
  Identity meta = *LoadIdentity(fs_, "/meta", ServerKind::kMeta, random_);
  refused = AcceptBirth(fs_, "/meta", Certificate(meta.uuid), &meta);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  of_meta.mutable_members(1)->set_uuid(meta.uuid);
  EXPECT_TRUE(AcceptBirth(fs_, "/meta", of_meta, &meta).ok());
}

TEST_F(IdentityTest, EveryDamagedByteIsNoticed) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  for (std::string path : {"/data/identity", "/data/birth"}) {
    size_t size = ReadFile(fs_, path)->size();
    for (size_t at = 0; at < size; ++at) {
      Damage(path, at);
      absl::Status status = LoadIdentity(fs_, "/data", ServerKind::kKv, random_).status();
      EXPECT_TRUE(absl::IsDataLoss(status)) << path << " byte " << at << ": " << status;
      EXPECT_THAT(status.ToString(), HasSubstr(path));
      EXPECT_THAT(status.ToString(), HasSubstr("Restore the file"));
      Damage(path, at);
    }
  }
  EXPECT_EQ(Load().self()->id(), 2);
}

TEST_F(IdentityTest, CutFilesAreNoticed) {
  Load();
  std::string whole = *ReadFile(fs_, "/data/identity");
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_TRUE(WriteFileDurably(fs_, "/data/identity", whole.substr(0, size)).ok());
    EXPECT_TRUE(absl::IsDataLoss(LoadIdentity(fs_, "/data", ServerKind::kKv, random_).status()))
        << size;
  }
}

TEST_F(IdentityTest, CertificateWithoutIdentityIsDamage) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  ASSERT_TRUE(fs_.Remove("/data/identity").ok());
  EXPECT_TRUE(absl::IsDataLoss(LoadIdentity(fs_, "/data", ServerKind::kKv, random_).status()));
}

TEST_F(IdentityTest, ALogIsNotedForLife) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  EXPECT_FALSE(*LogWasCreated(fs_, "/data"));
  ASSERT_TRUE(NoteLogCreated(fs_, "/data").ok());
  fs_.Crash();
  EXPECT_TRUE(*LogWasCreated(fs_, "/data"));
  EXPECT_EQ(Load().self()->id(), 2);
  for (size_t at = 0; at < ReadFile(fs_, "/data/log_created")->size(); ++at) {
    Damage("/data/log_created", at);
    EXPECT_TRUE(absl::IsDataLoss(LogWasCreated(fs_, "/data").status())) << at;
    Damage("/data/log_created", at);
  }
}

TEST_F(IdentityTest, ALogWithoutTheFilesBeforeItIsDamage) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  ASSERT_TRUE(NoteLogCreated(fs_, "/data").ok());
  // Else it would be born again, as a member that remembers nothing.
  ASSERT_TRUE(fs_.Remove("/data/birth").ok());
  absl::Status status = LoadIdentity(fs_, "/data", ServerKind::kKv, random_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("/data/birth: it is missing"));
  ASSERT_TRUE(fs_.Remove("/data/identity").ok());
  status = LoadIdentity(fs_, "/data", ServerKind::kKv, random_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("/data/identity: it is missing"));
}

TEST_F(IdentityTest, CertificateOfAnotherDirectoryIsDamage) {
  Identity identity = Load();
  ASSERT_TRUE(AcceptBirth(fs_, "/data", Certificate(identity.uuid), &identity).ok());
  ASSERT_TRUE(CreateDirs(fs_, "/copy").ok());
  ASSERT_TRUE(LoadIdentity(fs_, "/copy", ServerKind::kKv, random_).ok());
  ASSERT_TRUE(WriteFileDurably(fs_, "/copy/birth", *ReadFile(fs_, "/data/birth")).ok());
  absl::Status status = LoadIdentity(fs_, "/copy", ServerKind::kKv, random_).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(status.ToString(), HasSubstr("does not name this directory's UUID"));
}

TEST_F(IdentityTest, PowerFailureAtAnyPointLeavesAWholeIdentity) {
  for (uint64_t stop = 0;; ++stop) {
    ASSERT_LT(stop, 100);
    MemoryFileSystem fs;
    ASSERT_TRUE(CreateDirs(fs, "/data").ok());
    Identity identity = *LoadIdentity(fs, "/data", ServerKind::kKv, random_);
    fs.faults().StopAfter(stop);
    bool accepted = AcceptBirth(fs, "/data", Certificate(identity.uuid), &identity).ok();
    fs.Crash(random_);
    auto again = LoadIdentity(fs, "/data", ServerKind::kKv, random_);
    ASSERT_TRUE(again.ok()) << "stopped after " << stop << ": " << again.status();
    EXPECT_EQ(again->uuid, identity.uuid);
    if (accepted) {
      EXPECT_TRUE(again->birth.has_value());
      break;
    }
  }
}

}  // namespace
}  // namespace kdb::raftnode

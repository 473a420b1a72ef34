// What a power failure leaves.
#include "pkg/env/crash_file_system.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "pkg/env/memory_file_system.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb {
namespace {

using ::testing::ElementsAre;

class CrashTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> Create(const std::string& path, std::string_view content) {
    auto file = fs_.Open(path, OpenMode::kCreateNew);
    EXPECT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE((*file)->WriteAt(0, content).ok());
    return *std::move(file);
  }
  void CreateDurable(const std::string& path, std::string_view content) {
    EXPECT_TRUE(Create(path, content)->DataSync().ok());
    EXPECT_TRUE(fs_.SyncDir("/").ok());
  }
  std::string Get(const std::string& path) {
    absl::StatusOr<std::string> content = ReadFile(fs_, path);
    return content.ok() ? *content : absl::StatusCodeToString(content.status().code());
  }

  MemoryFileSystem fs_;
};

TEST_F(CrashTest, UnsyncedBytesAreLost) {
  CreateDurable("/a", "old");
  auto file = *fs_.Open("/a", OpenMode::kReadWrite);
  ASSERT_TRUE(file->WriteAt(0, "newer").ok());
  EXPECT_EQ(Get("/a"), "newer");
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "old");
  EXPECT_TRUE(absl::IsAborted(file->WriteAt(0, "x")));  // a handle of a dead process
}

TEST_F(CrashTest, SyncedFileWithoutSyncedNameIsLost) {
  ASSERT_TRUE(Create("/a", "1")->Sync().ok());
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "NOT_FOUND");
}

TEST_F(CrashTest, SyncedNameOfUnsyncedFileIsEmpty) {
  auto file = Create("/a", "1");
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "");
}

TEST_F(CrashTest, RenameIsAllOrNothing) {
  CreateDurable("/a", "1");
  CreateDurable("/b", "2");
  ASSERT_TRUE(fs_.Rename("/a", "/b").ok());
  EXPECT_EQ(Get("/b"), "1");
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "1");
  EXPECT_EQ(Get("/b"), "2");
  ASSERT_TRUE(fs_.Rename("/a", "/b").ok());
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "NOT_FOUND");
  EXPECT_EQ(Get("/b"), "1");
}

TEST_F(CrashTest, RenamedThenRecreated) {
  CreateDurable("/a", "1");
  ASSERT_TRUE(fs_.Rename("/a", "/b").ok());
  CreateDurable("/a", "2");
  fs_.Crash();
  EXPECT_EQ(Get("/a"), "2");
  EXPECT_EQ(Get("/b"), "1");
}

TEST_F(CrashTest, RemoveAndLinkWaitForSyncDir) {
  CreateDurable("/a", "1");
  ASSERT_TRUE(fs_.HardLink("/a", "/b").ok());
  ASSERT_TRUE(fs_.Remove("/a").ok());
  fs_.Crash();
  EXPECT_THAT(*fs_.List("/"), ElementsAre("a"));
  ASSERT_TRUE(fs_.HardLink("/a", "/b").ok());
  ASSERT_TRUE(fs_.Remove("/a").ok());
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  fs_.Crash();
  EXPECT_THAT(*fs_.List("/"), ElementsAre("b"));
  EXPECT_EQ(Get("/b"), "1");
}

TEST_F(CrashTest, DirectoriesNeedTheirParentSynced) {
  ASSERT_TRUE(fs_.CreateDir("/d").ok());
  ASSERT_TRUE(Create("/d/a", "1")->DataSync().ok());
  ASSERT_TRUE(fs_.SyncDir("/d").ok());
  fs_.Crash();
  EXPECT_FALSE(*fs_.Exists("/d"));
  ASSERT_TRUE(CreateDirs(fs_, "/d/e").ok());
  ASSERT_TRUE(Create("/d/e/a", "1")->DataSync().ok());
  ASSERT_TRUE(fs_.SyncDir("/d/e").ok());
  ASSERT_TRUE(fs_.Rename("/d/e", "/f").ok());
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  fs_.Crash();
  EXPECT_EQ(Get("/f/a"), "1");
  EXPECT_TRUE(fs_.List("/d")->empty());
}

TEST_F(CrashTest, DirectoryMovedOutOfARemovedOne) {
  ASSERT_TRUE(CreateDirs(fs_, "/d/e").ok());
  ASSERT_TRUE(Create("/d/e/a", "1")->DataSync().ok());
  ASSERT_TRUE(fs_.SyncDir("/d/e").ok());
  ASSERT_TRUE(CreateDirs(fs_, "/t").ok());
  ASSERT_TRUE(fs_.Rename("/d/e", "/t/e").ok());
  ASSERT_TRUE(fs_.RemoveDir("/d").ok());
  ASSERT_TRUE(fs_.SyncDir("/").ok());
  ASSERT_TRUE(fs_.SyncDir("/t").ok());
  fs_.Crash();
  EXPECT_EQ(Get("/t/e/a"), "1");
  EXPECT_FALSE(*fs_.Exists("/d"));
}

TEST_F(CrashTest, TornWritesKeepWholeSectorsInAnyOrder) {
  constexpr size_t kSectors = 8;
  CreateDurable("/a", std::string(kSectors * 512, 'o'));
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    {
      auto file = *fs_.Open("/a", OpenMode::kReadWrite);
      ASSERT_TRUE(file->WriteAt(0, std::string(kSectors * 512, 'o')).ok());
      ASSERT_TRUE(file->DataSync().ok());
      ASSERT_TRUE(file->WriteAt(0, std::string(kSectors * 512, 'n')).ok());
    }
    fs_.Crash(random);
    std::string content = Get("/a");
    ASSERT_EQ(content.size(), kSectors * 512);
    std::string picture;
    for (size_t i = 0; i < kSectors; ++i) {
      std::string sector = content.substr(i * 512, 512);
      EXPECT_EQ(sector, std::string(512, sector[0]));
      picture.push_back(sector[0]);
    }
    seen.insert(picture);
  }
  EXPECT_GT(seen.size(), 50u);
}

TEST_F(CrashTest, NamesChangeInAnyOrder) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    MemoryFileSystem fs;
    auto create = [&](const std::string& path) {
      ASSERT_TRUE((*fs.Open(path, OpenMode::kCreateNew))->Sync().ok());
    };
    create("/old");
    create("/moved");
    ASSERT_TRUE(fs.SyncDir("/").ok());
    create("/first");
    create("/second");
    ASSERT_TRUE(fs.Remove("/old").ok());
    ASSERT_TRUE(fs.Rename("/moved", "/there").ok());
    Random random(seed);
    fs.Crash(random);
    const std::vector<std::string> left = *fs.List("/");
    const std::set<std::string> names(left.begin(), left.end());
    EXPECT_NE(names.contains("moved"), names.contains("there")) << "a rename is one change";
    std::string picture;
    for (const char* name : {"first", "second", "old", "there"}) {
      picture.push_back(names.contains(name) ? '1' : '0');
    }
    seen.insert(picture);
  }
  EXPECT_EQ(seen.size(), 16u);
  EXPECT_TRUE(seen.contains("0111")) << "a later name without an earlier one";
}

TEST_F(CrashTest, AFileIsNeverLostBetweenItsNames) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryFileSystem fs;
    ASSERT_TRUE(WriteFileDurably(fs, "/a", "durable").ok());
    ASSERT_TRUE(fs.Rename("/a", "/b").ok());
    ASSERT_TRUE((*fs.Open("/a", OpenMode::kCreateNew))->Sync().ok());
    Random random(seed);
    fs.Crash(random);
    auto a = ReadFile(fs, "/a"), b = ReadFile(fs, "/b");
    EXPECT_TRUE((a.ok() && *a == "durable") || (b.ok() && *b == "durable")) << "seed " << seed;
  }
}

TEST_F(CrashTest, LostSyncsAreNoticed) {
  MemoryFileSystem fs(CrashOptions{.lose_syncs = true});
  auto file = *fs.Open("/a", OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(0, "1").ok());
  ASSERT_TRUE(file->DataSync().ok());
  ASSERT_TRUE(fs.SyncDir("/").ok());
  fs.Crash();
  EXPECT_EQ(*ReadFile(fs, "/a"), "");
}

TEST_F(CrashTest, FullDiskIsMetWhenWriting) {
  fs_.SetCapacity(1000);
  auto a = Create("/a", std::string(900, 'x'));
  EXPECT_TRUE(absl::IsResourceExhausted(a->WriteAt(900, std::string(101, 'x'))));
  auto b = *fs_.Open("/b", OpenMode::kCreateNew);
  EXPECT_TRUE(absl::IsResourceExhausted(b->Allocate(101)));
  ASSERT_TRUE(a->DataSync().ok());
  EXPECT_TRUE(b->Allocate(100).ok());
  EXPECT_EQ(fs_.DiskSpace("/")->available_bytes, 0u);
  ASSERT_TRUE(a->Truncate(0).ok());
  ASSERT_TRUE(a->DataSync().ok());
  EXPECT_TRUE(b->Allocate(1000).ok());
}

TEST_F(CrashTest, FaultsMatchCallsAndPaths) {
  CreateDurable("/log", "1");
  auto file = *fs_.Open("/log", OpenMode::kReadWrite);
  fs_.faults().Fail(FsOp::kWrite, "log", 1, absl::DataLossError("EIO"));
  EXPECT_TRUE(file->WriteAt(0, "2").ok());
  EXPECT_TRUE(absl::IsDataLoss(file->WriteAt(0, "3")));
  EXPECT_TRUE(file->WriteAt(0, "4").ok());
  fs_.faults().StopAfter(1);
  EXPECT_TRUE(file->WriteAt(0, "5").ok());
  EXPECT_FALSE(file->DataSync().ok());
  EXPECT_FALSE(fs_.List("/").ok());
  EXPECT_TRUE(fs_.faults().stopped());
}

TEST_F(CrashTest, BitsFlipWhenReadAndAtRest) {
  CreateDurable("/a", std::string(8, '\0'));
  auto bits = [&] {
    int set = 0;
    for (char c : Get("/a")) set += __builtin_popcount(static_cast<unsigned char>(c));
    return set;
  };
  fs_.faults().FlipReads("a", 1, 7);
  EXPECT_EQ(bits(), 0);
  EXPECT_EQ(bits(), 1);
  EXPECT_EQ(bits(), 0) << "the disk is as it was";
  ASSERT_TRUE(FlipBit(fs_, "/a", 33).ok());
  EXPECT_EQ(Get("/a")[4], 2);
  EXPECT_EQ(bits(), 1);
  EXPECT_FALSE(FlipBit(fs_, "/a", 64).ok());
}

// The same calls on a plain string, with syncs in between.
TEST_F(CrashTest, ContentMatchesAModel) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::string path = fmt::format("/m{}", seed);
    CreateDurable(path, "");
    auto file = *fs_.Open(path, OpenMode::kReadWrite);
    std::string model, synced;
    for (int step = 0; step < 200; ++step) {
      uint64_t at = random.Uniform(300);
      if (random.OneIn(10)) {
        ASSERT_TRUE(file->Truncate(at).ok());
        model.resize(at);
      } else if (random.OneIn(10)) {
        ASSERT_TRUE(file->DataSync().ok());
        synced = model;
      } else if (random.OneIn(10)) {
        ASSERT_TRUE(file->Allocate(at).ok());
        model.resize(std::max<size_t>(model.size(), at));
      } else {
        std::string data(1 + random.Uniform(40), static_cast<char>('a' + random.Uniform(26)));
        if (random.OneIn(2)) at = model.size();
        ASSERT_TRUE(file->WriteAt(at, data).ok());
        model.resize(std::max(model.size(), at + data.size()));
        model.replace(at, data.size(), data);
      }
      ASSERT_EQ(Get(path), model);
    }
    file.reset();
    fs_.Crash();
    ASSERT_EQ(Get(path), synced);
  }
}

// The real thing: what an abandoned process would leave on the operating system's disk.
TEST(CrashOnPosixTest, OnlySyncedStateIsOnTheDisk) {
  auto posix = NewPosixFileSystem();
  testing::TemporaryDirectory temporary;
  const std::string& dir = temporary.path();
  auto fs = *CrashFileSystem::Create(*posix, dir, {});
  ASSERT_TRUE(WriteFileDurably(*fs, dir + "/a", "durable").ok());
  auto a = *fs->Open(dir + "/a", OpenMode::kReadWrite);
  ASSERT_TRUE(a->WriteAt(0, "changed").ok());
  ASSERT_TRUE(fs->Rename(dir + "/a", dir + "/b").ok());
  ASSERT_TRUE((*fs->Open(dir + "/c", OpenMode::kCreateNew))->Sync().ok());
  EXPECT_EQ(*ReadFile(*fs, dir + "/b"), "changed");
  EXPECT_EQ(*ReadFile(*posix, dir + "/a"), "durable");
  EXPECT_THAT(*posix->List(dir), ElementsAre(".unsynced", "a"));
  EXPECT_FALSE(posix->List(dir + "/.unsynced")->empty());

  auto next = *CrashFileSystem::Create(*posix, dir, {});
  EXPECT_TRUE(posix->List(dir + "/.unsynced")->empty());
  EXPECT_THAT(*next->List(dir), ElementsAre("a"));
  EXPECT_EQ(*ReadFile(*next, dir + "/a"), "durable");
}

}  // namespace
}  // namespace kdb

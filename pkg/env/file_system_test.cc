// What every file system promises, on the operating system's and on those of the tests.
#include "pkg/env/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "pkg/env/crash_file_system.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb {
namespace {

using ::testing::ElementsAre;

// A file system and an empty directory in it.
class Fixture {
 public:
  explicit Fixture(const std::string& kind) {
    if (kind == "memory") {
      fs_ = std::make_unique<MemoryFileSystem>();
      dir_ = "/d";
      EXPECT_TRUE(fs_->CreateDir(dir_).ok());
      return;
    }
    dir_ = temporary_.emplace().path();
    posix_ = NewPosixFileSystem();
    fs_ = NewPosixFileSystem();
    if (kind == "crash") fs_ = *CrashFileSystem::Create(*posix_, dir_, {});
  }

  FileSystem& fs() { return *fs_; }
  const std::string& dir() const { return dir_; }

 private:
  std::optional<testing::TemporaryDirectory> temporary_;
  std::unique_ptr<FileSystem> posix_;
  std::unique_ptr<FileSystem> fs_;
  std::string dir_;
};

class FileSystemTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string Path(const std::string& name) const { return fixture_.dir() + "/" + name; }
  void Put(const std::string& name, std::string_view content) {
    auto file = fs_.Open(Path(name), OpenMode::kCreateOrTruncate);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->WriteAt(0, content).ok());
  }
  std::string Get(const std::string& name) {
    absl::StatusOr<std::string> content = ReadFile(fs_, Path(name));
    return content.ok() ? *content : content.status().ToString();
  }
  std::vector<std::string> List() { return *fs_.List(fixture_.dir()); }

  Fixture fixture_{GetParam()};
  FileSystem& fs_ = fixture_.fs();
};

INSTANTIATE_TEST_SUITE_P(All, FileSystemTest, ::testing::Values("posix", "memory", "crash"));

TEST_P(FileSystemTest, OpenModes) {
  EXPECT_TRUE(absl::IsNotFound(fs_.Open(Path("a"), OpenMode::kReadOnly).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_.Open(Path("a"), OpenMode::kReadWrite).status()));
  EXPECT_TRUE(fs_.Open(Path("a"), OpenMode::kCreateNew).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs_.Open(Path("a"), OpenMode::kCreateNew).status()));
  Put("a", "text");
  EXPECT_TRUE(fs_.Open(Path("a"), OpenMode::kReadWrite).ok());
  EXPECT_EQ(Get("a"), "text");
  EXPECT_TRUE(fs_.Open(Path("a"), OpenMode::kCreateOrTruncate).ok());
  EXPECT_EQ(Get("a"), "");
  EXPECT_TRUE(absl::IsNotFound(fs_.Open(Path("no/a"), OpenMode::kCreateNew).status()));
}

TEST_P(FileSystemTest, WritesReadsTruncatesAllocates) {
  auto file = *fs_.Open(Path("a"), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(3, "defg").ok());
  ASSERT_TRUE(file->WriteAt(0, "abc").ok());
  ASSERT_TRUE(file->DataSync().ok());
  ASSERT_TRUE(file->WriteAt(2, "XY").ok());
  char out[10];
  EXPECT_EQ(*file->ReadAt(1, 10, out), 6u);
  EXPECT_EQ(std::string(out, 6), "bXYefg");
  EXPECT_EQ(*file->ReadAt(7, 10, out), 0u);
  ASSERT_TRUE(file->Truncate(4).ok());
  ASSERT_TRUE(file->Allocate(6).ok());
  ASSERT_TRUE(file->Allocate(2).ok());  // never shrinks
  EXPECT_EQ(*file->Size(), 6u);
  EXPECT_EQ(*fs_.FileSize(Path("a")), 6u);
  EXPECT_EQ(Get("a"), std::string("abXY\0\0", 6));
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(Get("a"), std::string("abXY\0\0", 6));
  EXPECT_TRUE(file->Close().ok());
}

TEST_P(FileSystemTest, RenameReplacesAndLinksShareContent) {
  Put("a", "1");
  Put("b", "2");
  ASSERT_TRUE(fs_.HardLink(Path("a"), Path("c")).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(fs_.HardLink(Path("a"), Path("b"))));
  ASSERT_TRUE(fs_.Rename(Path("a"), Path("b")).ok());
  EXPECT_THAT(List(), ElementsAre("b", "c"));
  auto file = *fs_.Open(Path("c"), OpenMode::kReadWrite);
  ASSERT_TRUE(file->WriteAt(0, "3").ok());
  EXPECT_EQ(Get("b"), "3");
  ASSERT_TRUE(fs_.SyncDir(fixture_.dir()).ok());
  ASSERT_TRUE(fs_.Remove(Path("c")).ok());
  ASSERT_TRUE(fs_.Remove(Path("b")).ok());
  EXPECT_TRUE(absl::IsNotFound(fs_.Remove(Path("b"))));
  ASSERT_TRUE(fs_.SyncDir(fixture_.dir()).ok());
  char out[1];
  EXPECT_EQ(*file->ReadAt(0, 1, out), 1u);  // an open file outlives its names
  EXPECT_TRUE(List().empty());
}

TEST_P(FileSystemTest, Directories) {
  ASSERT_TRUE(CreateDirs(fs_, Path("x/y")).ok());
  ASSERT_TRUE(CreateDirs(fs_, Path("x/y")).ok());
  EXPECT_TRUE(fs_.CreateDir(Path("x")).ok());
  Put("x/y/f", "1");
  EXPECT_FALSE(fs_.RemoveDir(Path("x/y")).ok());
  EXPECT_FALSE(fs_.Remove(Path("x/y")).ok());
  EXPECT_FALSE(fs_.CreateDir(Path("x/y/f")).ok());
  EXPECT_FALSE(fs_.List(Path("x/y/f")).ok());
  ASSERT_TRUE(fs_.Rename(Path("x/y"), Path("z")).ok());
  EXPECT_EQ(Get("z/f"), "1");
  EXPECT_TRUE(*fs_.Exists(Path("z/f")));
  EXPECT_FALSE(*fs_.Exists(Path("x/y/f")));
  EXPECT_FALSE(*fs_.Exists(Path("z/f/g")));
  ASSERT_TRUE(RemoveTree(fs_, Path("z")).ok());
  ASSERT_TRUE(RemoveTree(fs_, Path("z")).ok());
  EXPECT_THAT(List(), ElementsAre("x"));
}

TEST_P(FileSystemTest, LockExcludes) {
  auto lock = fs_.Lock(Path("LOCK"));
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_.Lock(Path("LOCK")).status()));
  lock->reset();
  EXPECT_TRUE(fs_.Lock(Path("LOCK")).ok());
}

TEST_P(FileSystemTest, WriteFileDurablyReplaces) {
  ASSERT_TRUE(WriteFileDurably(fs_, Path("a"), "one").ok());
  ASSERT_TRUE(WriteFileDurably(fs_, Path("a"), "2").ok());
  EXPECT_EQ(Get("a"), "2");
  EXPECT_THAT(List(), ElementsAre("a"));
}

TEST_P(FileSystemTest, ErrorsNameCallAndPath) {
  absl::Status status = fs_.Open(Path("gone"), OpenMode::kReadOnly).status();
  EXPECT_THAT(status.message(), ::testing::HasSubstr("open"));
  EXPECT_THAT(status.message(), ::testing::HasSubstr(Path("gone")));
}

TEST_P(FileSystemTest, DiskSpaceIsPlausible) {
  FileSystem::Space space = *fs_.DiskSpace(fixture_.dir());
  EXPECT_GT(space.total_bytes, 0u);
  EXPECT_LE(space.available_bytes, space.total_bytes);
}

}  // namespace
}  // namespace kdb

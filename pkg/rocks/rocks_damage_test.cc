// Bits that flip in the engine's files: a read is right or says that it met damage, whatever file
// it was and whenever it flipped.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "pkg/base/damage.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/rocks/rocks_engine.h"

namespace kdb::rocks {
namespace {

using ::testing::HasSubstr;

constexpr char kDir[] = "/db";

using Contents = std::map<std::string, std::string>;

// What a replica made of the files.
enum class Seen { kRight, kRefused, kMet, kOlder };

class RocksDamageTest : public ::testing::Test {
 protected:
  // Flushed twice, so that there are two tables, and blobs, and a manifest with some history.
  void SetUp() override {
    auto engine = *Open(fs_);
    flushed_.push_back(all_);
    for (int round = 0; round < 2; ++round) {
      auto batch = engine->NewBatch();
      for (int i = 0; i < 20; ++i) Add(*batch, fmt::format("key{:02}", i * 2 + round), 40);
      Add(*batch, fmt::format("large{}", round), 40'000);
      ASSERT_TRUE(engine->Write(*batch).ok());
      ASSERT_TRUE(engine->Flush().ok());
      flushed_.push_back(all_);
    }
    engine.reset();
    fs_.Crash();
    const std::vector<std::string> names = *fs_.disk().List(kDir);
    for (const std::string& name : names) {
      files_[name] = *ReadFile(fs_.disk(), fmt::format("{}/{}", kDir, name));
    }
  }

  void Add(storage::WriteBatch& batch, const std::string& key, size_t bytes) {
    std::string value(bytes, 0);
    for (char& c : value) c = static_cast<char>(random_.Next());
    batch.Put(key, value);
    all_[key] = value;
  }

  static absl::StatusOr<std::unique_ptr<storage::Engine>> Open(FileSystem& fs) {
    Options options;
    options.block_cache_bytes = 1 << 20;
    options.memtable_bytes = 1 << 20;
    return OpenRocksEngine(fs, kDir, options);
  }

  // A scan and Gets; nothing wrong may be among what they return. An older state is the log's
  // business: a replica replays what is missing, or refuses to start when the log was cut.
  Seen ReadAll(const storage::Engine& engine) {
    Contents scanned;
    auto it = engine.NewIterator({}, {});
    for (it->SeekToFirst(); it->Valid(); it->Next()) scanned.emplace(it->key(), it->value());
    absl::Status status = it->status();
    if (status.ok() && scanned != all_) {
      EXPECT_TRUE(std::count(flushed_.begin(), flushed_.end(), scanned)) << "a scan is wrong";
      return Seen::kOlder;
    }
    for (const auto& [key, value] : scanned) EXPECT_EQ(all_[key], value) << key;
    for (const auto& [key, value] : all_) {
      std::string found;
      auto there = engine.Get(key, &found);
      EXPECT_TRUE(!there.ok() || (*there && found == value)) << key << " is wrong";
      status.Update(there.status());
    }
    if (status.ok()) return Seen::kRight;
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return Seen::kMet;
  }

  Seen OpenAndReadAll(const Contents& files) {
    MemoryFileSystem fs;
    EXPECT_TRUE(fs.disk().CreateDir(kDir).ok());
    for (const auto& [name, bytes] : files) {
      auto file = *fs.disk().Open(fmt::format("{}/{}", kDir, name), OpenMode::kCreateNew);
      EXPECT_TRUE(file->WriteAt(0, bytes).ok());
    }
    auto engine = Open(fs);
    if (engine.ok()) return ReadAll(**engine);
    EXPECT_TRUE(absl::IsDataLoss(engine.status())) << engine.status();
    EXPECT_THAT(engine.status().ToString(), HasSubstr("kdbctl member replace"));
    return Seen::kRefused;
  }

  // Flips a bit in every `stride`-th byte of the files that end with `suffix`, one at a time.
  std::map<Seen, int> Sweep(const std::string& suffix, uint64_t stride) {
    std::map<Seen, int> seen;
    for (const auto& [name, bytes] : files_) {
      if (name.find(suffix) == std::string::npos) continue;
      for (uint64_t at = random_.Uniform(stride); at < bytes.size(); at += stride) {
        SCOPED_TRACE(fmt::format("{} flipped at byte {} of {}", name, at, bytes.size()));
        Contents files = files_;
        files[name][at] = static_cast<char>(files[name][at] ^ (1 << random_.Uniform(8)));
        ++seen[OpenAndReadAll(files)];
        if (HasFailure()) return seen;
      }
    }
    return seen;
  }

  Random random_{11};
  MemoryFileSystem fs_;
  Contents all_;
  std::vector<Contents> flushed_;  // the states that were durable, in order
  Contents files_;
};

TEST_F(RocksDamageTest, Undamaged) { EXPECT_EQ(OpenAndReadAll(files_), Seen::kRight); }

TEST_F(RocksDamageTest, InATable) {
  auto seen = Sweep(".sst", 23);
  EXPECT_GT(seen[Seen::kMet], 20);
  EXPECT_EQ(seen[Seen::kOlder], 0);
}

TEST_F(RocksDamageTest, InABlobFile) {
  auto seen = Sweep(".blob", 997);
  EXPECT_GT(seen[Seen::kMet], 50);
  EXPECT_EQ(seen[Seen::kOlder], 0);
}

TEST_F(RocksDamageTest, InTheManifest) {
  auto seen = Sweep("MANIFEST", 5);
  EXPECT_GT(seen[Seen::kRefused], 10);
}

TEST_F(RocksDamageTest, InCurrent) {
  auto seen = Sweep("CURRENT", 1);
  EXPECT_GT(seen[Seen::kRefused], 10);
}

// While it runs: what the cache does not hold comes from the disk.
TEST_F(RocksDamageTest, OfWhatIsReadWhileItRuns) {
  int met = 0;
  for (uint64_t skip = 0; skip < 40; ++skip) {
    SCOPED_TRACE(skip);
    auto engine = Open(fs_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    fs_.faults().FlipReads(".sst", skip, skip);
    fs_.faults().FlipReads(".blob", skip / 8, skip);
    met += ReadAll(**engine) == Seen::kMet;
    fs_.faults().Clear();
  }
  EXPECT_GT(met, 5);
}

TEST_F(RocksDamageTest, IsMarkedAsDamageUnlikeAnInputOutputError) {
  auto engine = *Open(fs_);
  std::string value;
  fs_.faults().Fail(FsOp::kRead, ".blob", 0, absl::DataLossError("EIO"));
  absl::Status eio = engine->Get("large0", &value).status();
  EXPECT_TRUE(absl::IsDataLoss(eio)) << eio;
  EXPECT_FALSE(IsDamage(eio)) << eio;
  fs_.faults().FlipReads(".blob", 0, 1);
  absl::Status flipped = engine->Get("large1", &value).status();
  EXPECT_TRUE(IsDamage(flipped)) << flipped;
}

// Nobody reads what a compaction finds: the next write says it.
TEST_F(RocksDamageTest, MetByACompactionEndsTheWrites) {
  for (const auto& [name, bytes] : files_) {
    if (!name.ends_with(".sst")) continue;
    ASSERT_TRUE(FlipBit(fs_, fmt::format("{}/{}", kDir, name), 8 * 100).ok());
  }
  auto engine = *Open(fs_);
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) {
    auto batch = engine->NewBatch();
    batch->Put(fmt::format("key{:02}", i % 40), "new");
    status = engine->Write(*batch);
    if (status.ok()) status = engine->Flush();
  }
  EXPECT_TRUE(IsDamage(status)) << status;
}

}  // namespace
}  // namespace kdb::rocks

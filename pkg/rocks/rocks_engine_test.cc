#include "pkg/rocks/rocks_engine.h"

#include <chrono>
#include <map>
#include <thread>

#include "pkg/env/fault_file_system.h"
#include "pkg/storage/engine_contract_test.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb::rocks {
namespace {

using storage::EngineUnderTest;

Options SmallOptions() {
  Options options;
  options.block_cache_bytes = 4 << 20;
  options.memtable_bytes = 4 << 20;
  return options;
}

class RocksUnderTest final : public EngineUnderTest {
 public:
  RocksUnderTest() { Open(); }
  storage::Engine& engine() override { return *engine_; }
  // Destroying the engine does not flush: all that was not flushed is lost.
  void Crash(Random&) override { Open(); }

 private:
  void Open() {
    engine_.reset();
    auto engine = OpenRocksEngine(*fs_, dir_ / "db", SmallOptions());
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<FileSystem> fs_ = NewPosixFileSystem();
  std::unique_ptr<storage::Engine> engine_;
};

}  // namespace
}  // namespace kdb::rocks

namespace kdb::storage {
INSTANTIATE_TEST_SUITE_P(Rocks, EngineContract, ::testing::Values([] {
                           return std::make_unique<rocks::RocksUnderTest>();
                         }));
}  // namespace kdb::storage

namespace kdb::rocks {
namespace {

class RocksEngineTest : public ::testing::Test {
 protected:
  std::unique_ptr<storage::Engine> Open(const std::string& name = "db") {
    auto engine = OpenRocksEngine(*fs_, dir_ / name, SmallOptions());
    EXPECT_TRUE(engine.ok()) << engine.status();
    return engine.ok() ? *std::move(engine) : nullptr;
  }
  absl::Status Put(storage::Engine& engine, std::string_view key, std::string_view value) {
    auto batch = engine.NewBatch();
    batch->Put(key, value);
    return engine.Write(*batch);
  }
  std::string Get(storage::Engine& engine, std::string_view key) {
    std::string value;
    auto found = engine.Get(key, &value);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && *found ? value : "(none)";
  }

  testing::TemporaryDirectory dir_;
  std::unique_ptr<FileSystem> posix_ = NewPosixFileSystem();
  FaultPlan plan_;
  std::unique_ptr<FileSystem> fs_ = NewFaultFileSystem(*posix_, plan_);
};

class RocksCopyTest : public RocksEngineTest {
 protected:
  // Several files, a blob among them.
  RocksCopyTest() {
    engine_ = Open();
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(Put(*engine_, "key" + std::to_string(i), std::string(1000, 'v')).ok());
    }
    EXPECT_TRUE(Put(*engine_, "large", std::string(100 << 10, 'l')).ok());
    EXPECT_TRUE(engine_->Checkpoint(dir_ / "copy").ok());
  }

  std::unique_ptr<storage::Engine> engine_;
};

TEST_F(RocksCopyTest, IsReadWithoutAChange) {
  const auto before = *fs_->List(dir_ / "copy");
  EXPECT_TRUE(Put(*engine_, "key1", "newer").ok());
  {
    auto copy = engine_->OpenCopy(dir_ / "copy");
    ASSERT_TRUE(copy.ok()) << copy.status();
    std::string value;
    EXPECT_TRUE(*(*copy)->Get("key1", &value));
    EXPECT_EQ(value.size(), 1000u);
    EXPECT_EQ((*copy)->Verify(), absl::OkStatus());
  }
  EXPECT_EQ(*fs_->List(dir_ / "copy"), before);
}

TEST_F(RocksCopyTest, AFlippedBitInAnyFileIsNoticed) {
  const std::vector<std::string> names = *fs_->List(dir_ / "copy");
  for (const std::string& name : names) {
    if (name.ends_with(".sst") || name.ends_with(".blob") || name.starts_with("MANIFEST")) {
      const std::string path = dir_ / ("copy/" + name);
      std::string content = *ReadFile(*fs_, path);
      content[content.size() / 2] ^= 1;
      // Not in place: the engine has hard links to the same bytes.
      ASSERT_TRUE(fs_->Remove(path).ok());
      ASSERT_TRUE(WriteFileDurably(*fs_, path, content).ok());
      auto copy = engine_->OpenCopy(dir_ / "copy");
      EXPECT_TRUE(absl::IsDataLoss(copy.ok() ? (*copy)->Verify() : copy.status())) << name;
      content[content.size() / 2] ^= 1;
      ASSERT_TRUE(WriteFileDurably(*fs_, path, content).ok());
    }
  }
  EXPECT_EQ((*engine_->OpenCopy(dir_ / "copy"))->Verify(), absl::OkStatus());
}

TEST_F(RocksEngineTest, ACheckpointIsTheStateOfItsMoment) {
  auto engine = Open();
  ASSERT_TRUE(Put(*engine, "a", "1").ok());
  ASSERT_TRUE(engine->Checkpoint(dir_ / "copy").ok());
  ASSERT_TRUE(Put(*engine, "a", "2").ok());
  auto copy = Open("copy");
  EXPECT_EQ(Get(*copy, "a"), "1");
  EXPECT_EQ(Get(*engine, "a"), "2");
  EXPECT_FALSE(engine->Checkpoint(dir_ / "copy").ok());
}

TEST_F(RocksEngineTest, LargeValuesLieApartAndMakeRoomWhenReplaced) {
  Random random(1);
  auto value = [&random] {
    std::string bytes(1 << 20, 0);
    for (char& c : bytes) c = static_cast<char>(random.Next());
    return bytes;
  };
  std::map<std::string, uint64_t> bytes;  // by kind of file
  auto measure = [&] {
    bytes.clear();
    auto names = posix_->List(dir_ / "db");
    ASSERT_TRUE(names.ok()) << names.status();
    for (const std::string& name : *names) {
      auto size = posix_->FileSize(dir_ / ("db/" + name));
      if (size.ok()) bytes[name.substr(std::min(name.size(), name.find('.')))] += *size;
    }
  };
  auto engine = Open();
  std::string newest;
  for (int round = 0; round < 40; ++round) {
    newest = value();
    ASSERT_TRUE(Put(*engine, "large" + std::to_string(round % 2), newest).ok());
    ASSERT_TRUE(Put(*engine, "stays" + std::to_string(round), newest.substr(0, 50'000)).ok());
    ASSERT_TRUE(engine->Flush().ok());
    if (round == 0) {
      measure();
      EXPECT_LT(bytes[".sst"], 10'000u);
      EXPECT_GT(bytes[".blob"], 1'000'000u);
    }
  }
  EXPECT_EQ(Get(*engine, "large1"), newest);
  EXPECT_GT(engine->ApproximateBytes(), 2'000'000u);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  do {
    measure();
  } while (bytes[".blob"] > 20'000'000u && std::chrono::steady_clock::now() < deadline);
  EXPECT_LT(bytes[".blob"], 20'000'000u);
}

TEST_F(RocksEngineTest, RefusesADirectoryThatIsOpenElsewhere) {
  auto engine = Open();
  auto second = OpenRocksEngine(*fs_, dir_ / "db", SmallOptions());
  EXPECT_FALSE(second.ok());
}

TEST_F(RocksEngineTest, AManifestThatIsDamagedIsDataLoss) {
  {
    auto engine = Open();
    ASSERT_TRUE(Put(*engine, "a", "1").ok());
    ASSERT_TRUE(engine->Flush().ok());
  }
  auto names = posix_->List(dir_ / "db");
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) {
    if (name.starts_with("MANIFEST")) {
      auto file = posix_->Open(dir_ / ("db/" + name), OpenMode::kReadWrite);
      ASSERT_TRUE((*file)->WriteAt(10, "garbage").ok());
    }
  }
  auto engine = OpenRocksEngine(*fs_, dir_ / "db", SmallOptions());
  EXPECT_TRUE(absl::IsDataLoss(engine.status())) << engine.status();
}

TEST_F(RocksEngineTest, ManyRangeDeletesStartAFlush) {
  auto engine = Open();
  for (int i = 0; i < 1000; ++i) {
    auto batch = engine->NewBatch();
    batch->DeleteRange("a" + std::to_string(i), "b");
    ASSERT_TRUE(engine->Write(*batch).ok());
    ASSERT_LT(engine->UnflushedRangeDeletes(), 200u);
  }
}

TEST_F(RocksEngineTest, AFullDiskIsAClearErrorAndServesAgainWhenThereIsRoom) {
  auto engine = Open();
  ASSERT_TRUE(Put(*engine, "flushed", "1").ok());
  ASSERT_TRUE(engine->Flush().ok());
  ASSERT_TRUE(Put(*engine, "waiting", "2").ok());
  plan_.SetHook([](FsOp op, const std::string&) {
    bool fails = op == FsOp::kWrite || op == FsOp::kStat;  // kStat: no word of room either
    return fails ? absl::ResourceExhaustedError("no space left") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(engine->Flush())) << "flush on a full disk";
  absl::Status refused = Put(*engine, "later", "3");
  EXPECT_TRUE(refused.ok() || absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(Get(*engine, "waiting"), "2");
  plan_.Clear();
  EXPECT_TRUE(Put(*engine, "room", "4").ok());
  absl::Status flushed = engine->Flush();
  EXPECT_TRUE(flushed.ok()) << flushed;
  for (const char* key : {"1", "2", "3"}) {
    ASSERT_TRUE(Put(*engine, key, key).ok());
    ASSERT_TRUE(engine->Flush().ok());
    std::string value;
    EXPECT_TRUE(engine->GetPersisted(key, &value).value()) << "Flush returned too early";
  }
  engine = nullptr;
  engine = Open();
  EXPECT_EQ(Get(*engine, "waiting"), "2");
  EXPECT_EQ(Get(*engine, "room"), "4");
}

TEST_F(RocksEngineTest, AFailedSyncIsDataLossAndStaysIt) {
  auto engine = Open();
  ASSERT_TRUE(Put(*engine, "a", "1").ok());
  plan_.Fail(FsOp::kSync, ".sst", 0, absl::DataLossError("input/output error"));
  absl::Status flush = engine->Flush();
  EXPECT_TRUE(absl::IsDataLoss(flush)) << flush;
  absl::Status write = Put(*engine, "b", "2");
  EXPECT_TRUE(absl::IsDataLoss(write)) << write;
}

TEST_F(RocksEngineTest, WritesGoOnDuringAFlush) {
  auto engine = Open();
  ASSERT_TRUE(Put(*engine, "a", "1").ok());
  Mutex mu;
  CondVar changed;
  bool flushing = false, released = false;
  plan_.SetHook([&](FsOp op, const std::string& path) {
    if (op == FsOp::kSync && path.ends_with(".sst")) {
      MutexLock lock(mu);
      flushing = true;
      changed.NotifyAll();
      while (!released) changed.Wait(mu);
    }
    return absl::OkStatus();
  });
  std::thread flusher([&] { EXPECT_TRUE(engine->Flush().ok()); });
  {
    MutexLock lock(mu);
    while (!flushing) changed.Wait(mu);
  }
  EXPECT_TRUE(Put(*engine, "b", "2").ok());
  EXPECT_EQ(Get(*engine, "a"), "1");
  EXPECT_EQ(Get(*engine, "b"), "2");
  {
    MutexLock lock(mu);
    released = true;
    changed.NotifyAll();
  }
  flusher.join();
  plan_.Clear();
}

// The files that make a flush durable are synced, and so is their directory, before Flush returns.
TEST_F(RocksEngineTest, AFlushSyncsFilesAndDirectory) {
  auto engine = Open();
  ASSERT_TRUE(Put(*engine, "a", "1").ok());
  Mutex mu;
  std::string synced;
  plan_.SetHook([&](FsOp op, const std::string& path) {
    MutexLock lock(mu);
    if (op == FsOp::kSync && path.ends_with(".sst")) synced += "table ";
    if (op == FsOp::kSyncDir) synced += "directory ";
    if (op == FsOp::kSync && path.find("MANIFEST") != std::string::npos) synced += "manifest ";
    return absl::OkStatus();
  });
  ASSERT_TRUE(engine->Flush().ok());
  plan_.Clear();
  EXPECT_EQ(synced, "table directory manifest ");
}

}  // namespace
}  // namespace kdb::rocks

// The engine on a disk that fails, or has no room, at any call.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/env/memory_file_system.h"
#include "pkg/rocks/rocks_engine.h"

namespace kdb::rocks {
namespace {

using Contents = std::map<std::string, std::string>;

constexpr int kRounds = 5;

// An engine on a disk of its own, of which calls fail.
class Subject {
 public:
  // Says which calls do; of those that `counts` names.
  using Fails = std::function<absl::Status(uint64_t call)>;

  Subject(bool (*counts)(FsOp), const Fails& fails) {
    EXPECT_TRUE(fs_.CreateDir("/db").ok() && fs_.SyncDir("/").ok());
    fs_.faults().SetHook([this, counts, fails](FsOp op, const std::string&) {
      return counts(op) ? fails(calls_++) : absl::OkStatus();
    });
  }

  bool open() const { return engine_ != nullptr; }
  uint64_t calls() const { return calls_; }
  const Contents& written() const { return written_.back(); }

  absl::Status Open() {
    engine_ = nullptr;
    Options options;
    options.memtable_bytes = 1 << 20;
    auto engine = OpenRocksEngine(fs_, "/db", options);
    if (engine.ok()) engine_ = *std::move(engine);
    return engine.status();
  }

  // Opens a new engine and writes; ends at the first error.
  absl::Status RunScript() {
    written_.assign(1, {});
    flushed_ = 0;
    absl::Status status = Open();
    for (int round = 0; status.ok() && round < kRounds; ++round) {
      status = Write(round);
      if (status.ok()) status = Flush();
    }
    return status;
  }
  absl::Status Write(int round) {
    Contents after = written_.back();
    auto batch = engine_->NewBatch();
    for (int i = 0; i < 4; ++i) {
      const std::string key = fmt::format("key{}", (round + i) % 6);
      after[key] = fmt::format("{} {}", round, std::string(i == 0 ? 40'000 : 200, 'v'));
      batch->Put(key, after[key]);
    }
    absl::Status status = engine_->Write(*batch);
    if (status.ok()) written_.push_back(after);
    return status;
  }
  absl::Status Flush() {
    absl::Status status = engine_->Flush();
    if (status.ok()) flushed_ = written_.size() - 1;
    return status;
  }

  Contents Read() {
    Contents found;
    auto it = engine_->NewIterator({}, {});
    for (it->SeekToFirst(); it->Valid(); it->Next()) found.emplace(it->key(), it->value());
    EXPECT_TRUE(it->status().ok()) << it->status();
    return found;
  }
  // What was flushed is there, and perhaps what was written behind it.
  void RestartAndCheck() {
    engine_ = nullptr;
    fs_.Crash();
    ASSERT_EQ(Open(), absl::OkStatus());
    const Contents found = Read();
    EXPECT_TRUE(std::find(written_.begin() + static_cast<ptrdiff_t>(flushed_), written_.end(),
                          found) != written_.end())
        << "neither what was flushed nor anything later";
  }

 private:
  MemoryFileSystem fs_;
  std::unique_ptr<storage::Engine> engine_;
  std::vector<Contents> written_;  // the state after each write, in order
  size_t flushed_ = 0;             // of them
  std::atomic<uint64_t> calls_ = 0;
};

// RocksDB waits for a second after most errors: some cases wait at the same time, and most are left
// out, other ones every time.
constexpr uint64_t kAtOnce = 8;
constexpr uint64_t kStride = 19;

// Runs `play(n)` for some n from 0 on, until one says that there are no more. Returns about how
// many there are.
uint64_t PlaySome(const std::function<bool(uint64_t n)>& play) {
  const uint64_t seed = SystemSeed();
  fmt::print("seed {}\n", seed);
  std::atomic<uint64_t> next = seed % kStride, end = UINT64_MAX;
  std::vector<std::thread> players;
  for (uint64_t i = 0; i < kAtOnce; ++i) {
    players.emplace_back([&] {
      for (uint64_t n = next.fetch_add(kStride); n < end; n = next.fetch_add(kStride)) {
        SCOPED_TRACE(fmt::format("from call {} on", n));
        if (!play(n)) end = std::min(end.load(), n);
      }
    });
  }
  for (std::thread& player : players) player.join();
  return end;
}

TEST(RocksFault, AnInputOutputErrorOfAnyCallLosesNothingThatWasFlushed) {
  std::atomic<uint64_t> ended = 0;
  const uint64_t calls = PlaySome([&](uint64_t n) {
    Subject subject(
        [](FsOp op) { return op != FsOp::kStat; },
        [n](uint64_t call) { return call == n ? absl::DataLossError("EIO") : absl::OkStatus(); });
    absl::Status status = subject.RunScript();
    // RocksDB words some errors of its Open in its own way.
    EXPECT_TRUE(status.ok() || !subject.open() || absl::IsDataLoss(status)) << status;
    ended += !status.ok();
    const bool more = subject.calls() > n;
    subject.RestartAndCheck();
    return more;
  });
  EXPECT_GT(calls, 100u);
  EXPECT_GT(ended, 0u);
}

TEST(RocksFault, WithoutRoomAtAnyCallItGoesOnWhenThereIsSome) {
  auto may_grow = [](FsOp op) {
    return op == FsOp::kOpen || op == FsOp::kWrite || op == FsOp::kAllocate ||
           op == FsOp::kRename || op == FsOp::kHardLink || op == FsOp::kCreateDir;
  };
  std::atomic<uint64_t> refused = 0;
  const uint64_t calls = PlaySome([&](uint64_t n) {
    std::atomic<bool> full = true;
    Subject subject(may_grow, [&full, n](uint64_t call) {
      return full && call >= n ? absl::ResourceExhaustedError("ENOSPC") : absl::OkStatus();
    });
    absl::Status status = subject.RunScript();
    EXPECT_TRUE(status.ok() || !subject.open() || absl::IsResourceExhausted(status)) << status;
    refused += !status.ok();
    const bool more = subject.calls() > n;
    full = false;
    if (!subject.open()) {
      EXPECT_EQ(subject.Open(), absl::OkStatus());
    }
    EXPECT_EQ(subject.Read(), subject.written());
    EXPECT_EQ(subject.Write(kRounds), absl::OkStatus());
    EXPECT_EQ(subject.Flush(), absl::OkStatus());
    EXPECT_EQ(subject.Read(), subject.written());
    subject.RestartAndCheck();
    return more;
  });
  EXPECT_GT(calls, 50u);
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace kdb::rocks

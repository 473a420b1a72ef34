// Replicas that crash and replay the log come to the same bytes, and give the same replies, as one
// that never did.
#include <gtest/gtest.h>

#include <map>

#include "pkg/exec/command_generator.h"
#include "pkg/exec/test_shard.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

struct LogEntry {
  int64_t time_ms;
  std::vector<Args> commands;
  bool expires = false;  // the logged expiry step comes first
};

std::vector<LogEntry> MakeLog(uint64_t seed, size_t entries) {
  CommandGenerator generator(seed);
  Random random(seed);
  std::vector<LogEntry> log;
  int64_t time_ms = 1'700'000'000'000;
  for (size_t i = 0; i < entries; ++i) {
    // Days pass, so that the generator's expiries come due.
    time_ms += random.OneIn(20) ? 86'400'000 : static_cast<int64_t>(random.Uniform(50));
    LogEntry entry{time_ms, {}, random.OneIn(10)};
    for (uint64_t n = random.Uniform(8); n-- > 0;) entry.commands.push_back(generator.Next());
    log.push_back(std::move(entry));
  }
  return log;
}

class Replica {
 public:
  Replica() : Replica(storage::NewMemoryEngine()) {}

  // Index of the last entry applied; 0: none.
  uint64_t applied() const {
    return storage::ReadSystemRecord(shard_.engine()).value().applied_index;
  }
  std::vector<std::string> Apply(uint64_t index, const LogEntry& entry) {
    std::vector<std::string> replies;
    shard_.set_now_ms(entry.time_ms);
    shard_.OpenBatch();
    if (entry.expires) {
      shard::Slot slot = static_cast<shard::Slot>(index % shard::kSlots);
      replies.push_back(std::to_string(shard_.DeleteExpired(3, &slot).value()));
    }
    for (const Args& command : entry.commands) replies.push_back(shard_.Run(command));
    const storage::SystemRecord record{index, 1, "", entry.time_ms, shard_.rev(), 1};
    shard_.CloseBatch(&record);
    return replies;
  }
  void Flush() { ASSERT_TRUE(memory_.Flush().ok()); }
  void Crash(Random& random) {
    memory_.Crash(random);
    shard_.Recover();
  }
  void CheckInvariants() { shard_.CheckInvariants(); }
  std::map<std::string, std::string> Contents() const {
    std::map<std::string, std::string> contents;
    const auto it = memory_.NewIterator("", "");
    for (it->SeekToFirst(); it->Valid(); it->Next()) contents.emplace(it->key(), it->value());
    return contents;
  }

 private:
  explicit Replica(std::unique_ptr<storage::MemoryEngine> engine)
      : memory_(*engine), shard_(std::move(engine)) {}

  storage::MemoryEngine& memory_;  // shard_ owns it
  mutable TestShard shard_;
};

TEST(ExecReplay, CrashesAndReplaysEndInTheSameBytes) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const std::vector<LogEntry> log = MakeLog(seed, 300);
    Replica steady, crashing;
    std::vector<std::vector<std::string>> replies;
    for (uint64_t i = 1; i <= log.size(); ++i) replies.push_back(steady.Apply(i, log[i - 1]));
    Random random(seed);
    for (uint64_t next = 1; next <= log.size();) {
      ASSERT_EQ(crashing.Apply(next, log[next - 1]), replies[next - 1]) << "entry " << next;
      if (random.OneIn(20)) crashing.Flush();
      if (random.OneIn(15)) {
        crashing.Crash(random);
        crashing.CheckInvariants();
      }
      next = crashing.applied() + 1;
    }
    EXPECT_EQ(crashing.Contents(), steady.Contents());
    steady.CheckInvariants();
  }
}

}  // namespace
}  // namespace kdb::exec

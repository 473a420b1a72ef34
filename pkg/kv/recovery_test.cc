// Random logs: however they are cut into Applies, whatever crashes and whenever the disk is full,
// the state is the same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

constexpr uint64_t kSeeds = 40;

// Writes a log of a few hundred entries: batches that come again, leave gaps, fail, expire and
// flush keys; sessions that open and end; slots that are gained; junk.
class RandomLog {
 public:
  explicit RandomLog(uint64_t seed) : random_(seed) {
    while (log_.Last() < 300) AddEntry();
  }

  const Log& log() const { return log_.log(); }

 private:
  void AddEntry() {
    log_.now_ms += static_cast<int64_t>(random_.Uniform(100)) - 20;
    if (random_.OneIn(50)) ++log_.term;
    switch (random_.Uniform(20)) {
      case 0:
        sessions_[log_.Add(EntryKind::kOpenSession)] = 0;
        break;
      case 1:
        EndSession();
        break;
      case 2:
        log_.Own({SomeSlot(), SomeSlot()}, 1 + random_.Uniform(2), random_.Uniform(5));
        break;
      case 3:
        log_.Add(EntryKind::kExpireKeys,
                 EncodeExpireKeys(
                     {.from = SomeSlot(), .limit = static_cast<uint32_t>(1 + random_.Uniform(5))}));
        break;
      case 4:
        AddJunk();
        break;
      default:
        AddBatch();
    }
  }

  shard::Slot SomeSlot() { return shard::SlotOf(SomeKey()); }
  std::string SomeKey() { return fmt::format("key{}", random_.Uniform(30)); }

  void EndSession() {
    if (sessions_.empty() || !random_.OneIn(4)) return (void)log_.NoOp();
    uint64_t session = SomeSession();
    log_.Add(random_.OneIn(2) ? EntryKind::kCloseSession : EntryKind::kExpireSessions,
             EncodeSessions({session}));
    if (random_.OneIn(2)) sessions_.erase(session);
  }

  void AddJunk() {
    if (random_.OneIn(2)) return (void)log_.Raw(std::string("\0junk", 5));
    std::string batch = EncodedBatch({.session = SomeSession(), .seq = 1}, {CommandOp("GET k")});
    log_.Add(EntryKind::kBatch, batch.substr(0, random_.Uniform(batch.size())));
  }

  uint64_t SomeSession() {
    if (sessions_.empty()) return 1;
    auto it = sessions_.begin();
    std::advance(it, random_.Uniform(sessions_.size()));
    return it->first;
  }

  void AddBatch() {
    uint64_t session = SomeSession();
    uint64_t& last = sessions_[session];
    uint64_t seq = ++last;
    if (random_.OneIn(8)) seq = random_.Uniform(seq + 3);
    if (seq < last) --last;
    std::vector<std::string> lines(1 + random_.Uniform(5));
    for (std::string& line : lines) line = SomeCommand();
    std::vector<wire::Op> ops;
    for (const std::string& line : lines) ops.push_back(SomeOp(line));
    log_.Batch({.session = session, .seq = seq, .ack_below = random_.Uniform(seq + 2)}, ops);
  }

  wire::Op SomeOp(std::string_view line) {
    wire::Op op = CommandOp(line);
    if (random_.OneIn(10)) {
      op.not_after_ms = log_.now_ms + static_cast<int64_t>(random_.Uniform(40)) - 20;
    }
    op.bounded_reply = random_.OneIn(3);
    op.resp_version = random_.OneIn(2) ? 2 : 3;
    return op;
  }

  std::string SomeCommand() {
    std::string key = SomeKey();
    switch (random_.Uniform(10)) {
      case 0:
        return fmt::format("SET {} {}", key, std::string(random_.Uniform(6000), 'x'));
      case 1:
        return fmt::format("SET {} v PX {}", key, 1 + random_.Uniform(500));
      case 2:
        return fmt::format("DEL {} {}", key, SomeKey());
      case 3:
        return fmt::format("APPEND {} more", key);
      case 4:
        return fmt::format("GETDEL {}", key);
      case 5:
        return fmt::format("PEXPIRE {} {}", key, random_.Uniform(500));
      case 6:
        return random_.OneIn(5) ? "FLUSHALL" : "RANDOMKEY";
      case 7:
        return fmt::format("MSET {} 1 {} 2", key, SomeKey());
      case 8:
        return fmt::format("GET {}", key);
      default:
        return fmt::format("INCR {}", key);
    }
  }

  Random random_;
  LogBuilder log_;
  std::map<uint64_t, uint64_t> sessions_;  // to the newest batch sent
};

struct Twin {
  std::vector<Payload> results;
  uint64_t digest = 0;
};

// A replica to which nothing happens.
Twin Undisturbed(const Log& log) {
  Replica replica;
  Twin twin;
  twin.results = replica.CatchUp(log);
  twin.digest = replica.Digest();
  return twin;
}

TEST(RecoveryTest, CutsBetweenAppliesLeaveNoTrace) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    RandomLog log(seed);
    Twin twin = Undisturbed(log.log());
    for (size_t chunk : {2, 7, 1000}) {
      Replica replica;
      EXPECT_EQ(replica.CatchUp(log.log(), chunk), twin.results) << chunk;
      EXPECT_EQ(replica.Digest(), twin.digest) << chunk;
    }
  }
}

TEST(RecoveryTest, ACrashAnywhereIsMadeGoodByTheLog) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    RandomLog log(seed);
    Twin twin = Undisturbed(log.log());
    Random random(seed);
    Replica replica;
    size_t applied = 0;
    while (applied < log.log().size()) {
      size_t to = std::min(log.log().size(), applied + 1 + random.Uniform(40));
      Log prefix(log.log().begin(), log.log().begin() + static_cast<ptrdiff_t>(to));
      std::vector<Payload> results = replica.CatchUp(prefix, 1 + random.Uniform(10));
      // Entries that are applied again have the results of the first time.
      EXPECT_TRUE(std::equal(results.begin(), results.end(),
                             twin.results.begin() + static_cast<ptrdiff_t>(applied)));
      raft::Index flushed = 0;
      if (random.OneIn(3)) {
        ASSERT_TRUE(replica.state().Flush().ok());
        flushed = to;
        EXPECT_EQ(*replica.state().PersistedIndex(), flushed);
      }
      if (random.OneIn(2)) replica.Crash(random);
      applied = replica.state().applied().index;
      EXPECT_GE(applied, flushed);
      if (applied > 0) {
        EXPECT_EQ(replica.state().applied().term, log.log()[applied - 1].entry.term);
      }
    }
    EXPECT_EQ(replica.Digest(), twin.digest);
  }
}

TEST(RecoveryTest, AFullDiskChangesNothing) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    RandomLog log(seed);
    Twin twin = Undisturbed(log.log());
    Random random(seed);
    Replica replica;
    std::vector<Payload> results;
    while (results.size() < log.log().size()) {
      size_t at = results.size();
      auto entries =
          std::span(log.log()).subspan(at, std::min(log.log().size() - at, 1 + random.Uniform(20)));
      ShardStats before = replica.state().stats();
      exec::SlotSet owned = replica.state().owned();
      raftnode::AppliedState applied = replica.state().applied();
      replica.engine().full = random.OneIn(3);
      absl::Status status = ApplyAndCommit(replica.state(), entries, &results);
      ASSERT_EQ(status.ok(), !replica.engine().full) << status;
      if (status.ok()) continue;
      EXPECT_TRUE(absl::IsResourceExhausted(status));
      EXPECT_EQ(results.size(), at);
      EXPECT_EQ(replica.state().applied().index, applied.index);
      EXPECT_EQ(replica.state().applied().term, applied.term);
      EXPECT_EQ(replica.state().owned(), owned);
      ShardStats after = replica.state().stats();
      EXPECT_EQ(after.keys, before.keys);
      EXPECT_EQ(after.sessions, before.sessions);
      EXPECT_EQ(after.rev, before.rev);
      EXPECT_EQ(after.log_time_ms, before.log_time_ms);
    }
    EXPECT_EQ(results, twin.results);
    EXPECT_EQ(replica.Digest(), twin.digest);
  }
}

TEST(RecoveryTest, OneCommitOfManyAppliesLeavesNoTrace) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    RandomLog log(seed);
    Twin twin = Undisturbed(log.log());
    Random random(seed);
    Replica replica;
    std::vector<Payload> results;
    size_t committed = 0;
    while (committed < log.log().size()) {
      size_t at = results.size(), n = std::min(log.log().size() - at, 1 + random.Uniform(10));
      ASSERT_TRUE(replica.state().Apply(std::span(log.log()).subspan(at, n), &results).ok());
      EXPECT_TRUE(std::equal(results.begin(), results.end(), twin.results.begin()));
      if (results.size() < log.log().size() && !random.OneIn(4)) continue;
      replica.engine().full = random.OneIn(3);
      absl::Status status = replica.state().Commit();
      ASSERT_EQ(status.ok(), !replica.engine().full) << status;
      EXPECT_FALSE(replica.state().staged());
      if (status.ok()) committed = results.size();
      if (status.ok() && random.OneIn(4)) replica.Reopen();
      EXPECT_EQ(replica.state().applied().index, committed);
      results.resize(committed);
    }
    EXPECT_EQ(replica.Digest(), twin.digest);
  }
}

TEST(RecoveryTest, BatchesThatComeTwiceApplyOnce) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    LogBuilder log;
    log.OwnAll();
    uint64_t session = log.Add(EntryKind::kOpenSession);
    // Batches 1 to 60, each logged again up to three times within the next few entries, as by
    // retries over a fail-over.
    constexpr uint64_t kBatches = 60;
    uint64_t sent = 0;
    std::vector<std::pair<size_t, uint64_t>> logged;
    while (sent < kBatches) {
      uint64_t seq =
          sent > 0 && random.OneIn(2) ? sent - random.Uniform(std::min<uint64_t>(sent, 4)) : ++sent;
      size_t index = log.Batch({.session = session, .seq = seq}, {CommandOp("INCR n")});
      logged.emplace_back(index, seq);
    }
    Replica replica;
    std::vector<Payload> results = replica.CatchUp(log.log(), 1 + random.Uniform(8));
    for (auto [index, seq] : logged) {
      auto reply = wire::DecodeBatchReply(results[index - 1].view());
      ASSERT_TRUE(reply.ok());
      ASSERT_EQ(reply->code, wire::BatchCode::kExecuted);
      EXPECT_EQ(reply->results[0].reply, fmt::format(":{}\r\n", seq));
    }
  }
}

TEST(RecoveryTest, TheDigestSeesEveryByte) {
  FullDiskEngine engine;
  std::set<uint64_t> digests = {*StateDigest(engine)};
  for (auto [key, value] : {std::pair{"a", "bc"}, std::pair{"ab", "c"}, std::pair{"abc", ""},
                            std::pair{"a", "bd"}, std::pair{"", "abc"}}) {
    FullDiskEngine one;
    auto batch = one.NewBatch();
    batch->Put(key, value);
    ASSERT_TRUE(one.Write(*batch).ok());
    digests.insert(*StateDigest(one));
  }
  EXPECT_EQ(digests.size(), 6u);
}

}  // namespace
}  // namespace kdb::kv

// The counts of keys and of keys with an expiry, against a model that knows nothing of records.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "pkg/kv/replica_fixture.h"
#include "pkg/kv/system_records.h"

namespace kdb::kv {
namespace {

constexpr int kKeys = 12;
constexpr int64_t kFar = 1'000'000;  // ms that never pass

// The keys that are there, with their expiries. A key whose time has come stays until a command
// that writes meets it, or it is swept.
class Model {
 public:
  using Expiry = std::optional<int64_t>;

  bool Meets(const std::string& key, int64_t now) {
    auto it = keys_.find(key);
    if (it == keys_.end()) return false;
    if (!it->second || *it->second > now) return true;
    keys_.erase(it);
    return false;
  }
  void Set(const std::string& key, Expiry expiry) { keys_[key] = expiry; }
  Expiry Of(const std::string& key) const { return keys_.at(key); }
  void Erase(const std::string& key) { keys_.erase(key); }
  void Clear() { keys_.clear(); }
  void Sweep(int64_t now) {
    std::erase_if(keys_, [now](const auto& key) { return key.second && *key.second <= now; });
  }

  // {keys, keys with an expiry} by slot.
  using Counts = std::map<shard::Slot, std::pair<uint64_t, uint64_t>>;
  Counts BySlot() const {
    Counts counts;
    for (const auto& [key, expiry] : keys_) {
      auto& [all, expires] = counts[shard::SlotOf(key)];
      ++all;
      if (expiry) ++expires;
    }
    return counts;
  }
  std::pair<uint64_t, uint64_t> Total() const {
    std::pair<uint64_t, uint64_t> total;
    for (const auto& [slot, of_slot] : BySlot()) {
      total.first += of_slot.first;
      total.second += of_slot.second;
    }
    return total;
  }

 private:
  std::map<std::string, Expiry> keys_;
};

class KeyCountsTest : public ReplicaTest {
 protected:
  // One random command, or a step of expiry, to the replica and to the model.
  void Step(Random& random) {
    log_.now_ms += static_cast<int64_t>(random.Uniform(30));
    const std::string key = fmt::format("k{}", random.Uniform(kKeys));
    const int64_t ms = random.OneIn(3) ? kFar : static_cast<int64_t>(1 + random.Uniform(100));
    switch (random.Uniform(11)) {
      case 0:
        return SetTo(fmt::format("SET {} v", key), key, std::nullopt);
      case 1:
      case 2:
        return SetTo(fmt::format("SET {} v PX {}", key, ms), key, log_.now_ms + ms);
      case 3:
        return SetTo(fmt::format("SET {} v PXAT 1", key), key, log_.now_ms);
      case 4:
        return Change(fmt::format("PEXPIRE {} {}", key, ms), key, log_.now_ms + ms);
      case 5:
        return Change(fmt::format("PEXPIRE {} -1", key), key, log_.now_ms);
      case 6:
        return Change(fmt::format("PERSIST {}", key), key, std::nullopt);
      case 7:
        return Keep(fmt::format("APPEND {} more", key), key);
      case 8:
        return Delete(key);
      case 9:
        return Sweep();
      default:
        return random.OneIn(10) ? Flush() : Look(key);
    }
  }

  // An expiry that is not in the future: the key is gone.
  void Store(const std::string& key, Model::Expiry expiry) {
    model_.Set(key, expiry);
    model_.Meets(key, log_.now_ms);
  }
  void SetTo(const std::string& line, const std::string& key, Model::Expiry expiry) {
    Run(line);
    Store(key, expiry);
  }
  void Change(const std::string& line, const std::string& key, Model::Expiry expiry) {
    Run(line);
    if (model_.Meets(key, log_.now_ms)) Store(key, expiry);
  }
  void Keep(const std::string& line, const std::string& key) {
    Run(line);
    Store(key, model_.Meets(key, log_.now_ms) ? model_.Of(key) : std::nullopt);
  }
  void Delete(const std::string& key) {
    Run("DEL " + key);
    model_.Erase(key);
  }
  void Sweep() {
    log_.Add(EntryKind::kExpireKeys, EncodeExpireKeys({.limit = 2 * kKeys}));
    Apply();
    model_.Sweep(log_.now_ms);
  }
  void Flush() {
    Run("FLUSHALL");
    model_.Clear();
  }
  void Look(const std::string& key) { Run("GET " + key); }

  // Of the engine's slot records.
  Model::Counts Recorded() {
    Model::Counts counts;
    KeyRange range = SlotKeys();
    auto it = replica_.engine().NewIterator(range.lower, range.upper);
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      SlotRecord record = DecodeSlotRecord(it->value()).value();
      if (record.keys + record.expires == 0) continue;
      counts[DecodeSlotKey(it->key()).value()] = {record.keys, record.expires};
    }
    return counts;
  }
  // Records that an op leaves in the engine beside its own.
  size_t Written(std::string_view line) {
    const size_t before = replica_.engine().records_written;
    Run(line);
    return replica_.engine().records_written - before;
  }

  Model model_;
};

TEST_F(KeyCountsTest, FollowEveryCommand) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    for (int step = 0; step < 300; ++step) {
      Step(random);
      ASSERT_EQ(Recorded(), model_.BySlot()) << "step " << step;
      if (random.OneIn(20)) replica_.Reopen();
      auto [keys, expires] = model_.Total();
      const std::string reply = fmt::format("*2\r\n:{}\r\n:{}\r\n", keys, expires);
      ASSERT_EQ(Run("kdb.keyspace"), reply) << "step " << step;
      ASSERT_EQ(Read("kdb.keyspace"), reply) << "step " << step;
    }
  }
}

TEST_F(KeyCountsTest, TheSlotRecordIsWrittenOnlyWhenACountChanges) {
  Run("SET warm v");
  const size_t create = Written("SET a v");
  const size_t overwrite = Written("SET a w");
  EXPECT_EQ(create - overwrite, 2u);                 // the scan index, the slot
  EXPECT_EQ(Written("SET b v PX 100"), create + 1);  // the expiry index: one slot record as before
  EXPECT_EQ(Written("PEXPIRE a 100"), overwrite + 2);  // the expiry index, the slot
  EXPECT_EQ(Written("PEXPIRE a 200"), overwrite + 2);  // the old and the new index
  EXPECT_EQ(Written("APPEND a x"), overwrite);
  EXPECT_EQ(Written("PERSIST a"), overwrite + 2);
}

}  // namespace
}  // namespace kdb::kv

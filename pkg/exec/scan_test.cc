// SCAN and the ordered scan.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "pkg/base/random.h"
#include "pkg/exec/encoding.h"
#include "pkg/exec/ordered_scan.h"
#include "pkg/exec/test_shard.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

struct Page {
  std::string cursor;
  std::vector<std::string> keys;
};

class ScanTest : public testing::Test {
 protected:
  Page Scan(std::vector<std::string> args) {
    args.insert(args.begin(), "SCAN");
    const std::string encoded = shard_.Run(args);
    auto reply = resp::ReadReply(encoded);
    if (!reply || reply->elements.size() != 2) {
      ADD_FAILURE() << encoded;
      return {"0", {}};
    }
    Page page{std::string(reply->elements[0].text), {}};
    for (const auto& key : reply->elements[1].elements) page.keys.emplace_back(key.text);
    return page;
  }
  std::multiset<std::string> ScanAll(std::vector<std::string> options) {
    std::multiset<std::string> keys;
    std::string cursor = "0";
    do {
      std::vector<std::string> args = {cursor};
      args.insert(args.end(), options.begin(), options.end());
      Page page = Scan(args);
      keys.insert(page.keys.begin(), page.keys.end());
      cursor = page.cursor;
    } while (cursor != "0");
    return keys;
  }
  // kdb.scan's elements.
  std::vector<std::string> Ordered(const std::vector<std::string>& args) {
    std::vector<std::string> all = {"kdb.scan"};
    all.insert(all.end(), args.begin(), args.end());
    const std::string encoded = shard_.Run(all);
    auto reply = resp::ReadReply(encoded);
    std::vector<std::string> elements;
    for (const auto& e : reply.value().elements) {
      elements.emplace_back(e.type == resp::Reply::Type::kNull ? "(null)" : e.text);
    }
    return elements;
  }
  void Fill(int n) {
    for (int i = 0; i < n; ++i) {
      std::string key = "k" + std::to_string(i);
      shard_.Run({"SET", key, "v" + std::to_string(i)});
      keys_.insert(key);
    }
  }

  TestShard shard_{storage::NewMemoryEngine()};
  std::multiset<std::string> keys_;
};

TEST_F(ScanTest, ReturnsEveryKeyOnceWhenNothingChanges) {
  Fill(3000);
  for (const char* count : {"1", "10", "999", "100000"}) {
    EXPECT_EQ(ScanAll({"COUNT", count}), keys_) << count;
  }
  EXPECT_EQ(ScanAll({}), keys_);
}

TEST_F(ScanTest, AnEmptyShardIsOnePage) {
  EXPECT_EQ(shard_("SCAN 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
  EXPECT_EQ(shard_("SCAN x"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(shard_("SCAN 18446744073709551615"), "*2\r\n$1\r\n0\r\n*0\r\n");
}

TEST_F(ScanTest, OneCallVisitsAboutCountKeysThoughFewMatch) {
  Fill(1000);
  Page page = Scan({"0", "MATCH", "k77*", "COUNT", "10"});
  EXPECT_NE(page.cursor, "0");
  EXPECT_LE(page.keys.size(), 10u);
  EXPECT_EQ(ScanAll({"MATCH", "k77*"}).size(), 11u);
  EXPECT_EQ(ScanAll({"TYPE", "STRING"}), keys_);
  EXPECT_TRUE(ScanAll({"TYPE", "hash"}).empty());
}

TEST_F(ScanTest, ReturnsWhatIsThereThroughoutWhateverChanges) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    shard_("FLUSHALL");
    keys_.clear();
    Fill(300);
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      for (int i = 0; i < 20; ++i) {
        std::string other = "x" + std::to_string(random.Uniform(500));
        random.OneIn(2) ? shard_.Run({"SET", other, "v"}) : shard_.Run({"DEL", other});
        shard_.Run({"SET", "k" + std::to_string(random.Uniform(300)), "overwritten"});
      }
      Page page = Scan({cursor, "COUNT", std::to_string(1 + random.Uniform(30))});
      seen.insert(page.keys.begin(), page.keys.end());
      cursor = page.cursor;
    } while (cursor != "0");
    for (const std::string& key : keys_) EXPECT_TRUE(seen.contains(key)) << key;
  }
}

TEST_F(ScanTest, StopsAtTheFirstSlotOfAnotherGroup) {
  Fill(2000);
  std::multiset<std::string> first, second;
  for (const std::string& key : keys_) (shard::SlotOf(key) < 500 ? first : second).insert(key);
  const std::string boundary = std::to_string(uint64_t{500} << 48);
  for (shard::Slot slot = 500; slot < shard::kSlots; ++slot) shard_.owned().reset(slot);
  EXPECT_TRUE(shard_.Run({"SCAN", boundary}).starts_with("-TRYAGAIN"));
  std::multiset<std::string> seen;
  std::string cursor = "0";
  while (cursor != boundary) {
    Page page = Scan({cursor, "COUNT", "100"});
    seen.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
    ASSERT_NE(cursor, "0");
  }
  EXPECT_EQ(seen, first);
  shard_.owned().flip();
  seen.clear();
  do {
    Page page = Scan({cursor, "COUNT", "100"});
    seen.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
  } while (cursor != "0");
  EXPECT_EQ(seen, second);
}

TEST_F(ScanTest, NeverStopsInsideEqualHashes) {
  const shard::Slot slot = shard::SlotOf("{t}");
  auto batch = shard_.engine().NewBatch();
  for (const char* key : {"{t}a", "{t}b", "{t}c"}) {
    std::string record, value;
    EncodeHead({}, &value);
    HeadKey(slot, key, &record);
    batch->Put(record, value);
    ScanKey(slot, 77, key, &record);
    batch->Put(record, "");
    shard_.counts().AddKeys(slot, 1);
  }
  ASSERT_TRUE(shard_.engine().Write(*batch).ok());
  Page page = Scan({"0", "COUNT", "1"});
  EXPECT_EQ(page.keys, (std::vector<std::string>{"{t}a", "{t}b", "{t}c"}));
  EXPECT_EQ(page.cursor, "0");
}

TEST_F(ScanTest, EveryReaderSaysWhatItHidByTime) {
  const int64_t expiry = shard_.now_ms() + 5;
  for (const char* line : {"GET a", "KEYS *", "SCAN 0", "RANDOMKEY", "kdb.scan '' '' 10 0 0"}) {
    TestShard shard(storage::NewMemoryEngine());
    shard.Run({"SET", "a", "v", "PX", "5"});
    EXPECT_EQ(shard.newest_hidden_ms(), 0);
    shard.set_now_ms(expiry + 100);
    shard(line);
    EXPECT_EQ(shard.newest_hidden_ms(), expiry) << line;
  }
}

TEST_F(ScanTest, SeesTheOpenBatch) {
  shard_.OpenBatch();
  Fill(50);
  EXPECT_EQ(ScanAll({}), keys_);
  shard_("FLUSHALL");
  EXPECT_TRUE(ScanAll({}).empty());
  shard_.CloseBatch();
}

TEST_F(ScanTest, OrderedScanIsAWindowOfTheSortedKeys) {
  Random random(7);
  std::map<std::string, std::string> model;
  for (int i = 0; i < 2000; ++i) {
    std::string key = std::to_string(random.Uniform(100000));
    std::string value(random.Uniform(600), static_cast<char>('a' + i % 26));
    shard_.Run({"SET", key, value});
    model[key] = value;
  }
  for (int i = 0; i < 20; ++i) shard_.Run({"SET", "5expired" + std::to_string(i), "v", "PX", "1"});
  shard_.set_now_ms(shard_.now_ms() + 1);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    const std::string start = random.OneIn(4) ? "" : std::to_string(random.Uniform(1000));
    const std::string end = random.OneIn(4) ? "" : std::to_string(random.Uniform(1000));
    const size_t limit = random.OneIn(4) ? 5000 : random.Uniform(200);
    const bool reverse = random.OneIn(2), keys_only = random.OneIn(2);
    std::vector<std::string> window, expected;
    for (auto it = model.lower_bound(start); it != model.end(); ++it) {
      if (end.empty() || it->first < end) window.push_back(it->first);
    }
    if (reverse) std::reverse(window.begin(), window.end());
    if (window.size() > limit) window.resize(limit);
    for (const std::string& key : window) {
      expected.push_back(key);
      if (!keys_only) expected.push_back(model[key]);
    }
    EXPECT_EQ(
        Ordered({start, end, std::to_string(limit), reverse ? "1" : "0", keys_only ? "1" : "0"}),
        expected)
        << start << " " << end;
  }
}

TEST_F(ScanTest, AnOrderedPageThatIsTooLargeIsCutShort) {
  for (char c = 'a'; c <= 'h'; ++c) {
    shard_.Run({"SET", std::string(1, c), std::string(1 << 20, c)});
  }
  auto elements = Ordered({"", "", "100", "0", "0"});
  ASSERT_EQ(elements.size(), 9u);
  EXPECT_EQ(elements[6], "d");
  EXPECT_EQ(elements.back(), "(null)");
  elements = Ordered({"e", "", "100", "0", "0"});
  EXPECT_EQ(elements.size(), 8u);
  EXPECT_EQ(Ordered({"", "", "100", "0", "1"}).size(), 8u);
}

TEST_F(ScanTest, TheInternalCommandJudgesItsArguments) {
  EXPECT_EQ(shard_("kdb.scan a b x 0 0"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(shard_("kdb.scan a b 1 2 0"), "-ERR syntax error\r\n");
  EXPECT_EQ(shard_("kdb.scan a b"), "-ERR wrong number of arguments for 'kdb.scan' command\r\n");
  EXPECT_EQ(redis::FindCommand("kdb.scan"), nullptr);
}

}  // namespace
}  // namespace kdb::exec

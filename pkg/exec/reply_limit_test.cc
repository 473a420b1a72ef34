// Commands whose replies have no bound of their own: bounded while they are executed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "pkg/exec/test_shard.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr char kTooLarge[] = "-ERR the reply would be too large: ";

class ReplyLimitTest : public testing::Test {
 protected:
  void Fill(int keys, size_t key_bytes, size_t value_bytes) {
    for (int i = 0; i < keys; ++i) {
      std::string key = std::to_string(i);
      key.insert(0, key_bytes - key.size(), 'k');
      EXPECT_EQ(shard_.Run({"SET", key, std::string(value_bytes, 'v')}), "+OK\r\n");
    }
  }

  TestShard shard_{storage::NewMemoryEngine()};
};

TEST_F(ReplyLimitTest, MGetSaysWhatToDo) {
  shard_.limits().max_reply_bytes = 1000;
  Fill(1, 1, 300);
  EXPECT_THAT(shard_.Run({"MGET", "0", "0", "0"}), StartsWith("*3\r\n$300\r\n"));
  EXPECT_THAT(shard_.Read({"MGET", "0", "0", "0"}), StartsWith("*3\r\n$300\r\n"));
  const std::string too_large = std::string(kTooLarge) + "ask for fewer keys at once\r\n";
  EXPECT_EQ(shard_.Run({"MGET", "0", "0", "0", "0"}), too_large);
  EXPECT_EQ(shard_.Read({"MGET", "0", "0", "0", "0"}), too_large);
  // A single value is bounded by the limit of values.
  shard_.limits().max_reply_bytes = 10;
  EXPECT_THAT(shard_.Run({"GET", "0"}), StartsWith("$300\r\n"));
}

TEST_F(ReplyLimitTest, MissingKeysCountToo) {
  shard_.limits().max_reply_bytes = 1000;
  std::vector<std::string> args(300, "nothing");
  args[0] = "MGET";
  EXPECT_THAT(shard_.Run(args), StartsWith(kTooLarge));
}

// What counts is what is held while it runs: it does not read on.
TEST_F(ReplyLimitTest, NothingIsReadBeyondTheLimit) {
  struct CountingReader final : storage::Reader {
    explicit CountingReader(const storage::Reader& base) : reader(base) {}
    absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
      ++gets;
      return reader.Get(key, value);
    }
    std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                   std::string_view upper) const override {
      return reader.NewIterator(lower, upper);
    }
    const storage::Reader& reader;
    mutable size_t gets = 0;
  };
  Fill(1, 1, 300);
  CountingReader reader(shard_.engine());
  uint64_t rev = 1;
  Environment env{.reader = reader,
                  .writer = nullptr,
                  .hash_seed = {},
                  .owned = shard_.owned(),
                  .counts = shard_.counts(),
                  .limits = {.max_reply_bytes = 1000},
                  .now_ms = shard_.now_ms(),
                  .rev = &rev};
  std::vector<std::string_view> args(10'000, "0");
  args[0] = "MGET";
  const redis::Command* command = nullptr;
  ASSERT_TRUE(redis::Resolve(args, &command).ok());
  std::string reply = "+what was before\r\n";
  resp::ReplyWriter writer(resp::Version::kResp2, reply);
  ASSERT_TRUE(Execute(*command, args, env, writer).ok());
  EXPECT_THAT(reply, StartsWith(std::string("+what was before\r\n") + kTooLarge));
  EXPECT_TRUE(env.reply_too_large);
  EXPECT_EQ(reader.gets, 4u);
  EXPECT_LT(reply.capacity(), 4000u);
}

TEST_F(ReplyLimitTest, KeysPointsToScan) {
  Fill(20, 50, 1);
  shard_.limits().max_reply_bytes = 20 * 80;
  EXPECT_THAT(shard_("KEYS *"), StartsWith("*20\r\n$50\r\n"));
  shard_.limits().max_reply_bytes = 20 * 50;
  EXPECT_EQ(shard_("KEYS *"), std::string(kTooLarge) + "narrow the pattern, or use SCAN\r\n");
  EXPECT_THAT(shard_("KEYS k*k1"), StartsWith("*1\r\n$50\r\n"));
}

TEST_F(ReplyLimitTest, ScanEndsAPageEarly) {
  Fill(12, 1 << 20, 1);
  std::string cursor = "0";
  size_t keys = 0, pages = 0;
  do {
    const std::string page = shard_.Run({"SCAN", cursor, "COUNT", "1000"});
    EXPECT_LT(page.size(), size_t{6} << 20);
    ++pages;
    for (size_t at = page.find("$1048576"); at != page.npos; at = page.find("$1048576", at + 1)) {
      ++keys;
    }
    const size_t begin = page.find("\r\n", 4) + 2;
    cursor = page.substr(begin, page.find("\r\n", begin) - begin);
  } while (cursor != "0");
  EXPECT_EQ(keys, 12u);
  EXPECT_EQ(pages, 3u);
}

// The read-ahead of a slot ends behind its second key each time.
TEST_F(ReplyLimitTest, OrderedScanOfLargeKeysMissesNone) {
  std::vector<std::string> keys;
  for (char c = 'a'; c <= 'g'; ++c) {
    keys.push_back("{t}" + std::string(1, c) + std::string(40 << 10, 'k'));
    ASSERT_EQ(shard_.Run({"SET", keys.back(), "v"}), "+OK\r\n");
  }
  for (bool reverse : {false, true}) {
    std::string expected = "*7\r\n";
    resp::ReplyWriter writer(resp::Version::kResp2, expected);
    for (const std::string& key : keys) writer.Bulk(key);
    EXPECT_EQ(shard_.Read({"kdb.scan", "", "", "100", reverse ? "1" : "0", "1"}), expected);
    std::reverse(keys.begin(), keys.end());
  }
}

}  // namespace
}  // namespace kdb::exec

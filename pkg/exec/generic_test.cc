// The generic family by table; SCAN and the ordered scan have their own tests.
#include <gtest/gtest.h>

#include <set>

#include "pkg/exec/test_shard.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

struct Line {
  const char* command;
  const char* reply;
};

constexpr char kOk[] = "+OK\r\n";
constexpr char kNull[] = "$-1\r\n";

class GenericTest : public testing::Test {
 protected:
  void Play(std::initializer_list<Line> lines) {
    for (const Line& line : lines) EXPECT_EQ(shard_(line.command), line.reply) << line.command;
    shard_.CheckInvariants();
  }
  std::set<std::string> Keys(const std::string& pattern) {
    const std::string encoded = shard_.Run({"KEYS", pattern});
    auto reply = resp::ReadReply(encoded);
    std::set<std::string> keys;
    for (const resp::Reply& key : reply.value().elements) keys.emplace(key.text);
    EXPECT_EQ(keys.size(), reply->elements.size());
    return keys;
  }

  TestShard shard_{storage::NewMemoryEngine()};
};

TEST_F(GenericTest, KeysAreCountedDeletedAndNamed) {
  Play({{"MSET a 1 b 2 c 3", kOk},
        {"EXISTS a a b none", ":3\r\n"},
        {"TOUCH a none", ":1\r\n"},
        {"TYPE a", "+string\r\n"},
        {"TYPE none", "+none\r\n"},
        {"DEL a a none", ":1\r\n"},
        {"UNLINK b", ":1\r\n"},
        {"DBSIZE", ":1\r\n"}});
}

TEST_F(GenericTest, ExpireAndItsFlags) {
  Play({{"EXPIRE a 10", ":0\r\n"},
        {"SET a 1", kOk},
        {"EXPIRE a 10 XX", ":0\r\n"},
        {"EXPIRE a 10 GT", ":0\r\n"},
        {"EXPIRE a 100 LT", ":1\r\n"},
        {"EXPIRE a 10 NX", ":0\r\n"},
        {"EXPIRE a 10 GT", ":0\r\n"},
        {"EXPIRE a 200 GT", ":1\r\n"},
        {"EXPIRE a 50 XX", ":1\r\n"},
        {"TTL a", ":50\r\n"},
        {"PTTL a", ":50000\r\n"},
        {"EXPIRETIME a", ":1700000050\r\n"},
        {"PEXPIRETIME a", ":1700000050000\r\n"},
        {"PEXPIREAT a 1700000001499", ":1\r\n"},
        {"TTL a", ":1\r\n"},
        {"PERSIST a", ":1\r\n"},
        {"PERSIST a", ":0\r\n"},
        {"TTL a", ":-1\r\n"},
        {"TTL none", ":-2\r\n"},
        {"PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command\r\n"},
        {"PEXPIREAT a 9223372036854775807", ":1\r\n"},
        {"EXPIRETIME a", ":9223372036854776\r\n"}});
}

TEST_F(GenericTest, AnExpiryInThePastDeletes) {
  Play({{"MSET a 1 b 2", kOk},
        {"EXPIRE a -1", ":1\r\n"},
        {"EXPIREAT b 1700000000", ":1\r\n"},
        {"DBSIZE", ":0\r\n"}});
}

TEST_F(GenericTest, AKeyIsHiddenWhenItsTimeHasComeAndDeletedByTheNextWrite) {
  Play({{"SET a 1 PX 10", kOk}, {"SET b 1 PX 10", kOk}, {"SET c 1 PX 10", kOk}});
  shard_.set_now_ms(shard_.now_ms() + 9);
  Play({{"GET a", "$1\r\n1\r\n"}});
  shard_.set_now_ms(shard_.now_ms() + 1);
  Play({{"GET a", kNull},
        {"EXISTS a b", ":0\r\n"},
        {"TYPE a", "+none\r\n"},
        {"TTL a", ":-2\r\n"},
        {"KEYS *", "*0\r\n"},
        {"RANDOMKEY", kNull},
        {"DBSIZE", ":3\r\n"},
        {"EXPIRE a 10", ":0\r\n"},
        {"DBSIZE", ":2\r\n"},
        {"INCR b", ":1\r\n"},
        {"TTL b", ":-1\r\n"},
        {"DEL c", ":0\r\n"},
        {"DBSIZE", ":1\r\n"}});
}

TEST_F(GenericTest, TheExpiryStepDeletesWhatIsDueAndGoesOnWhereItStopped) {
  for (int i = 0; i < 100; ++i) {
    shard_.Run({"SET", "k" + std::to_string(i), "v", "PX", std::to_string(i < 70 ? 10 : 1000)});
  }
  EXPECT_EQ(shard_.EarliestExpiry().value(), shard_.now_ms() + 10);
  int64_t later = shard_.now_ms() + 1000;
  shard_.set_now_ms(shard_.now_ms() + 10);
  shard::Slot slot = 1000;
  size_t deleted = 0;
  for (int step = 0; step < 10; ++step) deleted += shard_.DeleteExpired(10, &slot).value();
  EXPECT_EQ(deleted, 70u);
  EXPECT_EQ(shard_.EarliestExpiry().value(), later);
  Play({{"DBSIZE", ":30\r\n"}});
}

TEST_F(GenericTest, FlushAllTakesTheOwnedSlotsAndNothingElse) {
  auto batch = shard_.engine().NewBatch();
  batch->Put("\xff\xff system", "stays");
  ASSERT_TRUE(shard_.engine().Write(*batch).ok());
  Play({{"MSET a 1 b 2 foo 3", kOk}, {"EXPIRE a 100", ":1\r\n"}});
  shard_.owned().reset(shard::SlotOf("foo"));
  EXPECT_EQ(shard_("FLUSHALL"), kOk);
  shard_.owned().set();
  EXPECT_EQ(shard_("DBSIZE"), ":1\r\n");
  EXPECT_EQ(shard_("FLUSHDB ASYNC"), kOk);
  EXPECT_EQ(shard_("DBSIZE"), ":0\r\n");
  EXPECT_EQ(shard_("FLUSHALL NOW"), "-ERR syntax error\r\n");
  std::string value;
  EXPECT_TRUE(shard_.engine().Get("\xff\xff system", &value).value());
}

TEST_F(GenericTest, FlushAllSharesARangeDeletionAmongAdjacentSlots) {
  for (int i = 0; i < 5000; ++i) shard_.Run({"SET", "k" + std::to_string(i), "v"});
  ASSERT_TRUE(shard_.engine().Flush().ok());
  shard_.owned().reset(0).reset(500).reset(501).reset(1023);
  EXPECT_EQ(shard_("FLUSHALL"), kOk);
  EXPECT_EQ(shard_("DBSIZE"), ":0\r\n");
  EXPECT_EQ(shard_.engine().UnflushedRangeDeletes(), 2u);
  shard_.owned().set();
  uint64_t left = 0;
  for (shard::Slot slot : {0, 500, 501, 1023}) left += shard_.counts().Keys(slot);
  EXPECT_GT(left, 0u);
  EXPECT_EQ(shard_("DBSIZE"), ":" + std::to_string(left) + "\r\n");
  EXPECT_EQ(shard_("FLUSHALL"), kOk);
  EXPECT_EQ(shard_("FLUSHALL"), kOk);  // nothing to delete
  EXPECT_EQ(shard_.engine().UnflushedRangeDeletes(), 3u);
}

TEST_F(GenericTest, KeysMatchByGlobPrefixAndTag) {
  for (const char* key : {"user:1", "user:2", "other", "{t}a", "{t}b", "{}x", "a*b", "{un"}) {
    shard_.Run({"SET", key, "v"});
  }
  using Names = std::set<std::string>;
  EXPECT_EQ(Keys("user:*"), (Names{"user:1", "user:2"}));
  EXPECT_EQ(Keys("user:1"), (Names{"user:1"}));
  EXPECT_EQ(Keys("{t}*"), (Names{"{t}a", "{t}b"}));
  EXPECT_EQ(Keys("{t*"), (Names{"{t}a", "{t}b"}));
  EXPECT_EQ(Keys("{}*"), (Names{"{}x"}));
  EXPECT_EQ(Keys("{u*"), (Names{"{un"}));
  EXPECT_EQ(Keys("a\\*b"), (Names{"a*b"}));
  EXPECT_EQ(Keys("*er*"), (Names{"user:1", "user:2", "other"}));
  EXPECT_EQ(Keys("none"), Names{});
  EXPECT_EQ(Keys("*").size(), 8u);
  shard_.owned().reset(shard::SlotOf("{t}"));
  EXPECT_EQ(Keys("{t}*"), Names{});
  EXPECT_EQ(Keys("*").size(), 6u);
}

TEST_F(GenericTest, RandomKeyReachesEveryKeyAndOnlyLiveOnes) {
  std::set<std::string> alive, seen;
  for (int i = 0; i < 20; ++i) {
    std::string key = "k" + std::to_string(i);
    shard_.Run({"SET", key, "v"});
    alive.insert(key);
  }
  for (int i = 0; i < 20; ++i) shard_.Run({"SET", "gone" + std::to_string(i), "v", "PX", "1"});
  for (int i = 0; i < 2000; ++i) {
    shard_.set_now_ms(shard_.now_ms() + 1);
    const std::string encoded = shard_("RANDOMKEY");
    seen.emplace(resp::ReadReply(encoded).value().text);
  }
  EXPECT_EQ(seen, alive);
}

}  // namespace
}  // namespace kdb::exec

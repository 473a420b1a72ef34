// The string family by table: what is typed, and what comes back.
#include <gtest/gtest.h>

#include "pkg/exec/encoding.h"
#include "pkg/exec/test_shard.h"
#include "pkg/storage/memory_engine.h"

namespace kdb::exec {
namespace {

struct Line {
  const char* command;
  const char* reply;
};

class StringTest : public testing::Test {
 protected:
  void Play(std::initializer_list<Line> lines) {
    for (const Line& line : lines) EXPECT_EQ(shard_(line.command), line.reply) << line.command;
    shard_.CheckInvariants();
  }

  TestShard shard_{storage::NewMemoryEngine()};
};

constexpr char kNull[] = "$-1\r\n";
constexpr char kOk[] = "+OK\r\n";

TEST_F(StringTest, SetAndGet) {
  Play({{"GET a", kNull},
        {"SET a 1", kOk},
        {"GET a", "$1\r\n1\r\n"},
        {"SET a ''", kOk},
        {"GET a", "$0\r\n\r\n"},
        {"SET '' x", kOk},
        {"GET ''", "$1\r\nx\r\n"},
        {"STRLEN ''", ":1\r\n"},
        {"STRLEN none", ":0\r\n"},
        {"SET a", "-ERR wrong number of arguments for 'set' command\r\n"},
        {"SET a 1 BOGUS", "-ERR syntax error\r\n"}});
}

TEST_F(StringTest, SetConditions) {
  Play({{"SET a 1 XX", kNull},
        {"SET a 1 NX", kOk},
        {"SET a 2 NX", kNull},
        {"SET a 3 XX", kOk},
        {"SET a 4 NX GET", "$1\r\n3\r\n"},
        {"SET a 5 GET", "$1\r\n3\r\n"},
        {"SET b 5 GET", kNull},
        {"SET c 5 XX GET", kNull},
        {"EXISTS a b c", ":2\r\n"},
        {"SETNX a 6", ":0\r\n"},
        {"SETNX c 6", ":1\r\n"},
        {"GETSET c 7", "$1\r\n6\r\n"},
        {"GETDEL c", "$1\r\n7\r\n"},
        {"GETDEL c", kNull}});
}

TEST_F(StringTest, SetExpiry) {
  Play({{"SET a 1 EX 10", kOk},
        {"PTTL a", ":10000\r\n"},
        {"SET a 2 KEEPTTL", kOk},
        {"PTTL a", ":10000\r\n"},
        {"SET a 2", kOk},
        {"PTTL a", ":-1\r\n"},
        {"SETEX a 5 v", kOk},
        {"TTL a", ":5\r\n"},
        {"PSETEX a 5 v", kOk},
        {"PTTL a", ":5\r\n"},
        {"GETEX a PERSIST", "$1\r\nv\r\n"},
        {"TTL a", ":-1\r\n"},
        {"GETEX a PXAT 1700000000500", "$1\r\nv\r\n"},
        {"PTTL a", ":500\r\n"},
        {"GETEX a", "$1\r\nv\r\n"},
        {"PTTL a", ":500\r\n"},
        {"SET a 1 EX 0", "-ERR invalid expire time in 'set' command\r\n"},
        {"SETEX a -1 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"PSETEX a x v", "-ERR value is not an integer or out of range\r\n"}});
}

TEST_F(StringTest, AnExpiryThatHasPassedDeletes) {
  Play({{"SET a 1", kOk},
        {"SET a 2 PXAT 1600000000000", kOk},
        {"GET a", kNull},
        {"DBSIZE", ":0\r\n"},
        {"SET b 2 EXAT 1", kOk},
        {"DBSIZE", ":0\r\n"},
        {"SET c 3", kOk},
        {"GETEX c EXAT 1", "$1\r\n3\r\n"},
        {"EXISTS c", ":0\r\n"}});
}

TEST_F(StringTest, SeveralKeys) {
  Play({{"MSET a 1 b 2 a 3", kOk},
        {"MGET a b c a", "*4\r\n$1\r\n3\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n"},
        {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"MSETNX c 1 a 2", ":0\r\n"},
        {"EXISTS c", ":0\r\n"},
        {"MSETNX c 1 d 2 c 3", ":1\r\n"},
        {"MGET c d", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n"},
        {"DBSIZE", ":4\r\n"}});
}

TEST_F(StringTest, Numbers) {
  Play({{"INCR n", ":1\r\n"},
        {"INCRBY n 9223372036854775806", ":9223372036854775807\r\n"},
        {"INCR n", "-ERR increment or decrement would overflow\r\n"},
        {"GET n", "$19\r\n9223372036854775807\r\n"},
        {"DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"},
        {"SET n 10 EX 100", kOk},
        {"DECR n", ":9\r\n"},
        {"DECRBY n 4", ":5\r\n"},
        {"TTL n", ":100\r\n"},
        {"SET n 1.5", kOk},
        {"INCR n", "-ERR value is not an integer or out of range\r\n"},
        {"INCRBYFLOAT n 0.1", "$3\r\n1.6\r\n"},
        {"INCRBYFLOAT n 5e3", "$22\r\n5001.60000000000000009\r\n"},  // long double, as Redis
        {"INCRBYFLOAT n x", "-ERR value is not a valid float\r\n"},
        {"INCRBYFLOAT n inf", "-ERR increment would produce NaN or Infinity\r\n"},
        {"INCRBYFLOAT f 3.0", "$1\r\n3\r\n"}});
}

TEST_F(StringTest, Ranges) {
  Play({{"APPEND s Hello", ":5\r\n"},
        {"APPEND s ,World", ":11\r\n"},
        {"GETRANGE s 0 4", "$5\r\nHello\r\n"},
        {"GETRANGE s -5 -1", "$5\r\nWorld\r\n"},
        {"GETRANGE s 5 2", "$0\r\n\r\n"},
        {"GETRANGE s -1 -2", "$0\r\n\r\n"},
        {"GETRANGE s -100 100", "$11\r\nHello,World\r\n"},
        {"SUBSTR s 1 1", "$1\r\ne\r\n"},
        {"GETRANGE none 0 -1", "$0\r\n\r\n"},
        {"SETRANGE s 6 Redis", ":11\r\n"},
        {"GET s", "$11\r\nHello,Redis\r\n"},
        {"SETRANGE none 5 ''", ":0\r\n"},
        {"EXISTS none", ":0\r\n"},
        {"SETRANGE p -1 x", "-ERR offset is out of range\r\n"},
        {"SETRANGE p 2 x", ":3\r\n"},
        {"STRLEN p", ":3\r\n"}});
  EXPECT_EQ(shard_("GET p"), std::string("$3\r\n\0\0x\r\n", 9));
}

TEST_F(StringTest, AValueMayNotGrowBeyondTheLimit) {
  constexpr char kTooLong[] = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
  shard_.limits().max_value_bytes = 8;
  Play({{"APPEND s 12345", ":5\r\n"},
        {"APPEND s 1234", kTooLong},
        {"APPEND s 123", ":8\r\n"},
        {"SETRANGE s 8 x", kTooLong},
        {"SETRANGE s 7 x", ":8\r\n"},
        {"SETRANGE s 9223372036854775807 x", kTooLong},
        {"SETRANGE s 9223372036854775807 ''", ":8\r\n"}});
}

TEST_F(StringTest, NullsFollowTheProtocolVersion) {
  shard_.set_version(resp::Version::kResp3);
  Play({{"GET a", "_\r\n"}, {"MGET a", "*1\r\n_\r\n"}, {"SET a 1 XX", "_\r\n"}});
}

TEST_F(StringTest, OneStepOfRevPerCommandThatChanges) {
  Play({{"MSET a 1 b 2", kOk}});
  EXPECT_EQ(shard_.rev(), 1u);
  Play({{"SET a 2 NX", kNull}, {"GET a", "$1\r\n1\r\n"}, {"DEL none", ":0\r\n"}});
  EXPECT_EQ(shard_.rev(), 1u);
  Play({{"SET a 2", kOk}, {"DEL a b", ":2\r\n"}});
  EXPECT_EQ(shard_.rev(), 3u);
}

TEST_F(StringTest, AWriteThatIsSentAsAReadIsRefused) {
  EXPECT_EQ(shard_.Read({"SET", "a", "1"}), "-ERR a command that writes was sent as a read\r\n");
  EXPECT_EQ(shard_.Read({"GET", "a"}), kNull);
}

TEST_F(StringTest, AHeadOfANewerReleaseIsDataLoss) {
  std::string key;
  HeadKey(shard::SlotOf("a"), "a", &key);
  for (std::string bytes : {"", "\x81", "\x47", "\x51 12"}) {
    auto batch = shard_.engine().NewBatch();
    batch->Put(key, bytes);
    ASSERT_TRUE(shard_.engine().Write(*batch).ok());
    EXPECT_TRUE(shard_("GET a").starts_with("STATUS DATA_LOSS")) << shard_("GET a");
  }
}

}  // namespace
}  // namespace kdb::exec

// What bounds the memory of a batch's replies, in the log and beside it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pkg/kv/replica_fixture.h"

namespace kdb::kv {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using wire::ResultCode;

constexpr char kTooLarge[] = "-ERR the reply would be too large: ";

class ReplyLimitTest : public ReplicaTest {
 protected:
  ReplyLimitTest()
      : ReplicaTest({.limits = {.max_reply_bytes = 10'000}, .max_batch_reply_bytes = 15'000}) {
    Run("SET k " + std::string(2000, 'v'));
  }

  std::vector<ResultCode> Codes() const {
    std::vector<ResultCode> codes;
    for (const wire::Result& result : reply_.results) codes.push_back(result.code);
    return codes;
  }
};

TEST_F(ReplyLimitTest, OneCommandInTheLogAndBesideIt) {
  EXPECT_THAT(Run("MGET k k k k"), StartsWith("*4\r\n"));
  EXPECT_THAT(Read("MGET k k k k"), StartsWith("*4\r\n"));
  EXPECT_THAT(Run("MGET k k k k k"), StartsWith(kTooLarge));
  EXPECT_THAT(Read("MGET k k k k k"), StartsWith(kTooLarge));
  EXPECT_EQ(Codes(), std::vector{ResultCode::kReply});
}

TEST_F(ReplyLimitTest, ReadsThatRideTheLogGoByIndex) {
  wire::Op op = CommandOp("MGET k k k k k");
  op.bounded_reply = true;
  Send({.session = session_, .seq = ++seq_}, {op});
  EXPECT_EQ(Codes(), std::vector{ResultCode::kByIndex});
}

TEST_F(ReplyLimitTest, TheRepliesOfABatchTogether) {
  const wire::Op read = CommandOp("MGET k k k k");
  const wire::Op take = CommandOp("GETDEL k");
  Send({.session = session_, .seq = ++seq_}, {read, read, CommandOp("MGET k k"), take, take});
  EXPECT_EQ(Codes(), (std::vector{ResultCode::kReply, ResultCode::kReply, ResultCode::kReply,
                                  ResultCode::kReply, ResultCode::kReply}));
  EXPECT_THAT(reply_.results[0].reply, StartsWith("*4\r\n"));
  EXPECT_THAT(reply_.results[1].reply, StartsWith(kTooLarge));
  EXPECT_THAT(reply_.results[2].reply, StartsWith("*2\r\n"));
  EXPECT_THAT(reply_.results[3].reply, StartsWith("$2000\r\n"));
  EXPECT_EQ(reply_.results[4].reply, "$-1\r\n");

  Run("SET k " + std::string(2000, 'v'));
  Send({.session = session_, .seq = ++seq_},
       {read, CommandOp("MGET k k k"), take, CommandOp("SET n 1")});
  EXPECT_EQ(Codes()[2], ResultCode::kReply);
  EXPECT_LT(bytes_.size(), 15'000u + 2'100);
}

TEST_F(ReplyLimitTest, WritesStopWhereTheBatchIsFull) {
  std::vector<std::string> lines;
  std::vector<wire::Op> ops;
  for (int i = 0; i < 10; ++i) {
    Run("SET k" + std::to_string(i) + " " + std::string(2000, 'v'));
    lines.push_back("GETDEL k" + std::to_string(i));
  }
  for (const std::string& line : lines) ops.push_back(CommandOp(line));
  Send({.session = session_, .seq = ++seq_}, ops);
  EXPECT_EQ(Codes()[7], ResultCode::kReply);
  EXPECT_EQ(Codes()[8], ResultCode::kFailed);
  EXPECT_THAT(std::string(reply_.results[9].reply), HasSubstr("not executed"));
  EXPECT_EQ(Run("EXISTS k7 k8 k9"), ":2\r\n");
}

}  // namespace
}  // namespace kdb::kv

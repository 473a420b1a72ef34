#include <gtest/gtest.h>

#include "pkg/wire/batch.h"

namespace kdb::wire {
namespace {

std::string RichReply() {
  BatchReplyBuilder builder;
  builder.Start(8, 9, 1700000000123);
  builder.AddResult({.code = ResultCode::kReply, .reply = "+OK\r\n"});
  builder.AddResult({.code = ResultCode::kMoved, .gid = 2, .epoch = 300, .addresses = "a:1,b:2"});
  builder.AddResult({.code = ResultCode::kNotOwner, .epoch = 1ull << 40});
  builder.AddResult({.code = ResultCode::kFrozen});
  builder.AddResult({.code = ResultCode::kLate});
  builder.AddResult({.code = ResultCode::kByIndex});
  builder.AddResult({.code = ResultCode::kFailed, .reply = "-OOM\r\n"});
  return builder.Finish();
}

TEST(BatchReplyTest, RoundTrip) {
  std::string bytes = RichReply();
  auto reply = DecodeBatchReply(bytes);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->session, 8u);
  EXPECT_EQ(reply->seq, 9u);
  EXPECT_EQ(reply->code, BatchCode::kExecuted);
  EXPECT_EQ(reply->log_time_ms, 1700000000123);
  ASSERT_EQ(reply->results.size(), 7u);
  EXPECT_EQ(reply->results[0].reply, "+OK\r\n");
  EXPECT_EQ(reply->results[1].gid, 2u);
  EXPECT_EQ(reply->results[1].epoch, 300u);
  EXPECT_EQ(reply->results[1].addresses, "a:1,b:2");
  EXPECT_EQ(reply->results[2].epoch, 1ull << 40);
  EXPECT_EQ(reply->results[5].code, ResultCode::kByIndex);
  EXPECT_EQ(reply->results[6].reply, "-OOM\r\n");
}

TEST(BatchReplyTest, Refusals) {
  for (auto code : {BatchCode::kGap, BatchCode::kExpired, BatchCode::kBusy, BatchCode::kNotLeader,
                    BatchCode::kTrimmed, BatchCode::kMalformed}) {
    BatchReply in{.session = 1, .seq = 2, .code = code, .log_time_ms = -1};
    if (code == BatchCode::kGap) in.last = 1000;
    if (code == BatchCode::kNotLeader) in.hint = "host:1";
    std::string bytes = BatchReplyBuilder::Refusal(in);
    auto out = DecodeBatchReply(bytes);
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_EQ(out->code, code);
    EXPECT_EQ(out->last, in.last);
    EXPECT_EQ(out->hint, in.hint);
    EXPECT_EQ(out->log_time_ms, -1);
    EXPECT_TRUE(out->results.empty());
    for (size_t n = 0; n < bytes.size(); ++n)
      EXPECT_FALSE(DecodeBatchReply(bytes.substr(0, n)).ok());
  }
}

TEST(BatchReplyTest, GoldenBytes) {  // frozen: FORMAT.md
  BatchReplyBuilder builder;
  builder.Start(1, 2, 3);
  builder.AddResult({.code = ResultCode::kReply, .reply = ":1\r\n"});
  std::string expected(
      "\x01\0"
      "\x01\0\0\0\0\0\0\0"
      "\x02\0\0\0\0\0\0\0"
      "\x03\0\0\0\0\0\0\0"
      "\x01\0\0\0"
      "\0\x04:1\r\n",
      36);
  EXPECT_EQ(builder.Finish(), expected);
}

TEST(BatchReplyTest, EveryCutAndUnknownCodesAreRefused) {
  std::string bytes = RichReply();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeBatchReply(bytes.substr(0, n)).status())) << n;
  }
  EXPECT_FALSE(DecodeBatchReply(bytes + "x").ok());
  std::string changed = bytes;
  changed[0] = 2;
  EXPECT_FALSE(DecodeBatchReply(changed).ok());
  changed = bytes;
  changed[1] = 7;
  EXPECT_FALSE(DecodeBatchReply(changed).ok());
  changed = bytes;
  changed[30] = 7;
  EXPECT_FALSE(DecodeBatchReply(changed).ok());
  changed = bytes;
  changed[1] = static_cast<char>(BatchCode::kBusy);  // a refusal has no results
  EXPECT_FALSE(DecodeBatchReply(changed).ok());
}

}  // namespace
}  // namespace kdb::wire

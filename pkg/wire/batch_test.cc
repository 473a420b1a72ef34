#include "pkg/wire/batch.h"

#include <gtest/gtest.h>

#include "pkg/base/random.h"

namespace kdb::wire {
namespace {

Op SetOp(std::string_view key, std::string_view value) {
  Op op;
  op.slots = {7};
  op.commands.push_back({"SET", key, value});
  return op;
}

// One of each feature.
std::string RichBatch() {
  BatchBuilder builder;
  builder.AddOp(SetOp("k", "v"));
  Op multi;
  multi.kind = OpKind::kMulti;
  multi.resp_version = 3;
  multi.resume = true;
  multi.bounded_reply = true;
  multi.not_after_ms = -5;
  multi.slots = {1, 2, 1023, 0, 9};
  multi.watches = {{"w", 1ull << 63}, {"", 0}};
  multi.commands.push_back({"GET", "k"});
  multi.commands.push_back({std::string_view("\0\r\n", 3)});
  builder.AddOp(multi);
  Op refused;
  refused.no_room = true;
  builder.AddOp(refused);
  return builder.Finish({.session = 3, .seq = 4, .ack_below = 2});
}

std::string Reencoded(const Batch& batch) {
  BatchBuilder builder;
  for (const Op& op : batch.ops) builder.AddOp(op);
  return builder.Finish(batch.header);
}

TEST(BatchTest, RoundTrip) {
  std::string bytes = RichBatch();
  auto batch = DecodeBatch(bytes);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->header.session, 3u);
  EXPECT_EQ(batch->header.seq, 4u);
  EXPECT_EQ(batch->header.ack_below, 2u);
  ASSERT_EQ(batch->ops.size(), 3u);
  EXPECT_TRUE(batch->ops[2].no_room);
  EXPECT_TRUE(batch->ops[2].commands.empty());
  EXPECT_EQ(batch->ops[0].resp_version, 2);
  EXPECT_EQ(batch->ops[0].commands[0], (CommandArgs{"SET", "k", "v"}));
  const Op& multi = batch->ops[1];
  EXPECT_EQ(multi.kind, OpKind::kMulti);
  EXPECT_EQ(multi.resp_version, 3);
  EXPECT_TRUE(multi.resume);
  EXPECT_TRUE(multi.bounded_reply);
  EXPECT_FALSE(multi.no_room);
  EXPECT_EQ(multi.not_after_ms, -5);
  EXPECT_EQ(multi.slots.size(), 5u);
  EXPECT_EQ(multi.watches[0].key, "w");
  EXPECT_EQ(multi.watches[0].rev, 1ull << 63);
  EXPECT_EQ(multi.commands[1][0], std::string_view("\0\r\n", 3));
  EXPECT_EQ(Reencoded(*batch), bytes);
}

TEST(BatchTest, GoldenBytes) {  // frozen: FORMAT.md
  BatchBuilder builder;
  Op op = SetOp("k", "v");
  op.not_after_ms = 0x0102;
  op.slots = {0x0304};
  builder.AddOp(op);
  std::string expected(
      "\x01"
      "\x05\0\0\0\0\0\0\0"
      "\x06\0\0\0\0\0\0\0"
      "\x04\0\0\0\0\0\0\0"
      "\x01\0\0\0"
      "\0"
      "\x02\x01\0\0\0\0\0\0"
      "\x01\x04\x03"
      "\0"
      "\x01\x03\x03SET\x01k\x01v",
      52);
  EXPECT_EQ(builder.Finish({.session = 5, .seq = 6, .ack_below = 4}), expected);
}

TEST(BatchTest, ViewsPointIntoTheInput) {
  std::string bytes = RichBatch();
  auto batch = DecodeBatch(bytes);
  ASSERT_TRUE(batch.ok());
  const char* arg = batch->ops[0].commands[0][0].data();
  EXPECT_GE(arg, bytes.data());
  EXPECT_LT(arg, bytes.data() + bytes.size());
}

TEST(BatchTest, BuilderIsReusable) {
  BatchBuilder builder;
  builder.AddOp(SetOp("a", "1"));
  std::string first = builder.Finish({.session = 1, .seq = 1});
  EXPECT_EQ(builder.ops(), 0u);
  builder.AddOp(SetOp("dropped", ""));
  builder.Start();
  builder.AddOp(SetOp("a", "1"));
  EXPECT_EQ(builder.ops(), 1u);
  EXPECT_EQ(builder.Finish({.session = 1, .seq = 1}), first);
}

TEST(BatchTest, EmptyBatch) {
  auto batch = DecodeBatch(BatchBuilder().Finish({.session = 1, .seq = 9}));
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->ops.empty());
  EXPECT_EQ(batch->header.seq, 9u);
}

TEST(BatchTest, EveryCutIsRefused) {
  std::string bytes = RichBatch();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_TRUE(absl::IsInvalidArgument(DecodeBatch(bytes.substr(0, n)).status())) << n;
  }
  EXPECT_FALSE(DecodeBatch(bytes + '\0').ok());
}

TEST(BatchTest, AChangedByteIsRefusedOrStillCanonical) {
  const std::string bytes = RichBatch();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      auto batch = DecodeBatch(changed);
      if (batch.ok()) {
        EXPECT_EQ(Reencoded(*batch), changed) << at;
      }
    }
  }
}

TEST(BatchTest, UnknownVersionIsRefused) {
  std::string bytes = RichBatch();
  bytes[0] = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeBatchHeader(bytes).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeBatch(bytes).status()));
}

TEST(BatchTest, CountsAreCheckedBeforeAllocation) {
  std::string bytes = RichBatch();
  bytes.replace(25, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(DecodeBatch(bytes).ok());
  // 2^63 slots in the first op: the product with their size overflows 64 bits.
  std::string head = bytes.substr(0, 25) + std::string("\x01\0\0\0", 4) + std::string(9, '\0');
  EXPECT_FALSE(
      DecodeBatch(head + "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" + std::string(64, 'x')).ok());
}

TEST(BatchTest, ACommandWithoutNameIsRefused) {
  std::string bytes = BatchBuilder().Finish({});
  bytes[25] = 1;
  std::string op = std::string(9, '\0') + std::string("\0\0\x01\0", 4);
  EXPECT_FALSE(DecodeBatch(bytes + op).ok());
}

TEST(BatchTest, PaddedVarintIsRefused) {
  std::string bytes = BatchBuilder().Finish({});
  bytes[25] = 1;
  std::string bits_and_deadline(9, '\0');
  EXPECT_TRUE(DecodeBatch(bytes + bits_and_deadline + std::string(3, '\0')).ok());
  EXPECT_FALSE(DecodeBatch(bytes + bits_and_deadline + std::string("\x80\0\0\0", 4)).ok());
}

TEST(BatchTest, RandomBytesNeverCrash) {
  constexpr uint64_t kSeed = 20240711;
  SCOPED_TRACE(kSeed);
  Random random(kSeed);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = RichBatch().substr(0, 29 + random.Uniform(8));
    for (uint64_t n = random.Uniform(40); n > 0; --n) {
      bytes.push_back(static_cast<char>(random.Uniform(round % 2 == 0 ? 256 : 8)));
    }
    auto batch = DecodeBatch(bytes);
    if (batch.ok()) {
      EXPECT_EQ(Reencoded(*batch), bytes);
    }
  }
}

}  // namespace
}  // namespace kdb::wire

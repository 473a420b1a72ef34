#include "pkg/kv/system_records.h"

#include <gtest/gtest.h>

#include "pkg/storage/system_record.h"

namespace kdb::kv {
namespace {

// Every cut and every extension is refused, and so is another version.
template <typename Decode>
void ExpectStrict(const std::string& bytes, Decode decode) {
  ASSERT_TRUE(decode(bytes).ok()) << decode(bytes).status();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_TRUE(absl::IsDataLoss(decode(bytes.substr(0, n)).status())) << n;
  }
  EXPECT_TRUE(absl::IsDataLoss(decode(bytes + "x").status()));
  std::string newer = bytes;
  newer[0] = 2;
  EXPECT_TRUE(absl::IsDataLoss(decode(newer).status()));
}

TEST(SystemRecordsTest, Slot) {
  SlotRecord record{SlotState::kMoved, 3, 1ull << 40, 2, 9, 123456, 654};
  std::string bytes = EncodeSlotRecord(record);
  ExpectStrict(bytes, DecodeSlotRecord);
  EXPECT_EQ(*DecodeSlotRecord(bytes), record);
  bytes[1] = 5;
  EXPECT_TRUE(absl::IsDataLoss(DecodeSlotRecord(bytes).status()));
}

TEST(SystemRecordsTest, Session) {
  SessionRecord record{77, 70, -1};
  std::string bytes = EncodeSessionRecord(record);
  ExpectStrict(bytes, DecodeSessionRecord);
  EXPECT_EQ(*DecodeSessionRecord(bytes), record);
}

TEST(SystemRecordsTest, Group) {
  GroupRecord record{"cluster", 7, {1, ~0ull}};
  std::string bytes = EncodeGroupRecord(record);
  ExpectStrict(bytes, DecodeGroupRecord);
  EXPECT_EQ(*DecodeGroupRecord(bytes), record);
}

TEST(SystemRecordsTest, GoldenBytes) {  // frozen: FORMAT.md
  EXPECT_EQ(GroupKey(), "\xff\xff\x01");
  EXPECT_EQ(SlotKey(0x0102), "\xff\xff\x02\x01\x02");
  EXPECT_EQ(SessionKey(5), std::string("\xff\xff\x03\0\0\0\0\0\0\0\x05", 11));
  EXPECT_EQ(ReplyKey(5, 0x0102),
            std::string("\xff\xff\x04\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x01\x02", 19));
  EXPECT_EQ(EncodeSlotRecord({SlotState::kOwned, 1, 300, 0, 0, 2, 1}),
            std::string("\x01\x01\x01\xac\x02\0\0\x02\x01", 9));
  EXPECT_EQ(EncodeSessionRecord({2, 1, 3}), std::string("\x01\x02\x01\x03\0\0\0\0\0\0\0", 11));
}

TEST(SystemRecordsTest, KeysDecodeAndStayInTheirRanges) {
  EXPECT_EQ(*DecodeSlotKey(SlotKey(1023)), 1023);
  EXPECT_TRUE(absl::IsDataLoss(DecodeSlotKey(SlotKey(1024)).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeSlotKey(SessionKey(1)).status()));
  EXPECT_EQ(*DecodeSessionKey(SessionKey(~0ull)), ~0ull);
  auto reply = DecodeReplyKey(ReplyKey(8, 9));
  EXPECT_EQ(reply->session, 8u);
  EXPECT_EQ(reply->seq, 9u);
  EXPECT_TRUE(absl::IsDataLoss(DecodeReplyKey(SessionKey(1)).status()));

  EXPECT_LT(storage::SystemRecordKey(), GroupKey());
  for (auto [range, key] :
       {std::pair{SlotKeys(), SlotKey(1023)}, std::pair{SessionKeys(), SessionKey(~0ull)},
        std::pair{ReplyKeys(), ReplyKey(~0ull, ~0ull)}}) {
    EXPECT_LE(range.lower, key);
    EXPECT_LT(key, range.upper);
  }
}

}  // namespace
}  // namespace kdb::kv

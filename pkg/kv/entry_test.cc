#include "pkg/kv/entry.h"

#include <gtest/gtest.h>

namespace kdb::kv {
namespace {

TEST(EntryTest, RoundTrip) {
  std::string bytes = EncodeEntry(EntryKind::kBatch, -7, "body");
  auto entry = DecodeEntry(bytes);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->kind, EntryKind::kBatch);
  EXPECT_EQ(entry->leader_time_ms, -7);
  EXPECT_EQ(entry->body, "body");
  EXPECT_EQ(entry->body.data(), bytes.data() + 10);  // a view
}

TEST(EntryTest, GoldenBytes) {  // frozen: FORMAT.md
  EXPECT_EQ(EncodeEntry(EntryKind::kTick, 0x0102, ""),
            std::string("\x01\x05\x02\x01\0\0\0\0\0\0", 10));
  EXPECT_EQ(EncodeOwnSlots({.slots = {3, 0x0102}, .epoch = 1, .assignment = 300}),
            std::string("\x01\xac\x02\x02\x03\0\x02\x01", 8));
  EXPECT_EQ(EncodeRaiseLevel(0x0102), std::string("\x02\x01\0\0", 4));
  EXPECT_EQ(EncodeSessions({1}), std::string("\x01\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(EncodeExpireKeys({.from = 5, .limit = 9}), std::string("\x05\0\x09\0\0\0", 6));
}

TEST(EntryTest, RefusesWhatItDoesNotKnow) {
  std::string bytes = EncodeEntry(EntryKind::kTick, 1, "");
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(DecodeEntry(bytes.substr(0, n)).ok());
  bytes[1] = '\0';
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeEntry(bytes).status()));
  bytes[1] = '\x05';
  bytes[0] = '\0';
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeEntry(bytes).status()));
}

TEST(EntryTest, TellsANewerReleasesEntryFromABadOne) {
  std::string bytes = EncodeEntry(EntryKind::kTick, 1, "");
  for (char kind : {'\x0b', '\xff'}) {
    bytes[1] = kind;
    EXPECT_TRUE(absl::IsUnimplemented(DecodeEntry(bytes).status()));
  }
  for (char version : {'\x02', '\xff'}) {
    bytes[0] = version;
    for (size_t n = 1; n < bytes.size(); ++n) {
      EXPECT_TRUE(absl::IsUnimplemented(DecodeEntry(bytes.substr(0, n)).status()));
    }
  }
}

TEST(EntryTest, RaiseLevel) {
  EXPECT_EQ(*DecodeRaiseLevel(EncodeRaiseLevel(0x01020304)), 0x01020304u);
  EXPECT_FALSE(DecodeRaiseLevel("123").ok());
  EXPECT_FALSE(DecodeRaiseLevel("12345").ok());
}

TEST(EntryTest, OwnSlots) {
  OwnSlots own{.slots = {0, 1023}, .epoch = 1, .assignment = 1ull << 40};
  std::string bytes = EncodeOwnSlots(own);
  auto decoded = DecodeOwnSlots(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->slots, own.slots);
  EXPECT_EQ(decoded->epoch, 1u);
  EXPECT_EQ(decoded->assignment, 1ull << 40);
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(DecodeOwnSlots(bytes.substr(0, n)).ok());
  EXPECT_FALSE(DecodeOwnSlots(bytes + "x").ok());
  EXPECT_FALSE(DecodeOwnSlots(EncodeOwnSlots({.slots = {1024}})).ok());
  EXPECT_FALSE(DecodeOwnSlots("\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").ok());
}

TEST(EntryTest, Sessions) {
  std::vector<uint64_t> sessions = {1, 1ull << 60};
  auto decoded = DecodeSessions(EncodeSessions(sessions));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, sessions);
  EXPECT_FALSE(DecodeSessions("1234567").ok());
}

TEST(EntryTest, ExpireKeys) {
  auto step = DecodeExpireKeys(EncodeExpireKeys({.from = 1000, .limit = 7}));
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->from, 1000);
  EXPECT_EQ(step->limit, 7u);
  ASSERT_TRUE(DecodeExpireKeys("").ok());
  EXPECT_EQ(DecodeExpireKeys("")->limit, ExpireKeys{}.limit);
  EXPECT_FALSE(DecodeExpireKeys("x").ok());
  EXPECT_FALSE(DecodeExpireKeys(EncodeExpireKeys({.from = 1024})).ok());
  EXPECT_FALSE(DecodeExpireKeys(EncodeExpireKeys({.limit = 0})).ok());
  EXPECT_FALSE(DecodeExpireKeys(EncodeExpireKeys({.limit = kMaxExpireKeys + 1})).ok());
}

}  // namespace
}  // namespace kdb::kv

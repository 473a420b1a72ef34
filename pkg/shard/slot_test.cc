#include "pkg/shard/slot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::shard {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(HashTagTest, AsInRedisCluster) {  // Redis cluster specification, "Hash tags"
  EXPECT_EQ(HashTag("{user1000}.following"), "user1000");
  EXPECT_EQ(HashTag("foo{}{bar}"), "foo{}{bar}");
  EXPECT_EQ(HashTag("foo{{bar}}zap"), "{bar");
  EXPECT_EQ(HashTag("foo{bar}{zap}"), "bar");
  EXPECT_EQ(HashTag("foo}{bar"), "foo}{bar");
  EXPECT_EQ(HashTag("}{a}"), "a");
  EXPECT_EQ(HashTag("{"), "{");
  EXPECT_EQ(HashTag(""), "");
}

TEST(SlotTest, ClusterSlotsOfRedis) {  // as CLUSTER KEYSLOT of Redis 7.0 says
  EXPECT_EQ(ClusterSlot("123456789"), 12739);
  EXPECT_EQ(ClusterSlot("foo"), 12182);
  EXPECT_EQ(ClusterSlot("bar"), 5061);
  EXPECT_EQ(ClusterSlot(""), 0);
  EXPECT_EQ(ClusterSlot("somekey"), 11058);
  EXPECT_EQ(ClusterSlot("foo{hash_tag}"), 2515);
  EXPECT_EQ(ClusterSlot("bar{hash_tag}"), 2515);
}

TEST(SlotTest, SixteenClusterSlotsEach) {
  EXPECT_EQ(SlotOf("foo"), 12182 / 16);
  EXPECT_EQ(SlotOf("123456789"), 12739 / 16);
  EXPECT_LT(SlotOf("x"), kSlots);
}

TEST(SlotsTextTest, SortsAndMerges) {
  auto slots = ParseSlots("9-11,5,1,10-12,5");
  ASSERT_TRUE(slots.ok()) << slots.status();
  EXPECT_THAT(*slots, ElementsAre(1, 5, 9, 10, 11, 12));
  EXPECT_EQ(FormatSlots(*slots), "1,5,9-12");
}

TEST(SlotsTextTest, AllSlots) {
  auto slots = ParseSlots("0-1023");
  ASSERT_TRUE(slots.ok());
  EXPECT_EQ(slots->size(), kSlots);
  EXPECT_EQ(FormatSlots(*slots), "0-1023");
  EXPECT_EQ(FormatSlots({}), "");
  EXPECT_EQ(FormatSlots({0}), "0");
  EXPECT_EQ(FormatSlots({0, 1}), "0-1");
}

TEST(SlotsTextTest, NamesThePartThatIsWrong) {
  struct Case {
    const char* text;
    const char* part;
  };
  for (auto [text, part] :
       {Case{"1,1024", "'1024'"}, Case{"1,x,3", "'x'"}, Case{"", "''"}, Case{"1,", "''"},
        Case{"5-3", "'5-3'"}, Case{"1-2-3", "'1-2-3'"}, Case{"-1", "'-1'"}, Case{"1-", "'1-'"},
        Case{" 1", "' 1'"}, Case{"+1", "'+1'"}, Case{"99999999999", "'99999999999'"}}) {
    auto slots = ParseSlots(text);
    ASSERT_TRUE(absl::IsInvalidArgument(slots.status())) << text;
    EXPECT_THAT(std::string(slots.status().message()), HasSubstr(part)) << text;
  }
}

}  // namespace
}  // namespace kdb::shard

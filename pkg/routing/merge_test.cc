#include "pkg/routing/merge.h"

#include <gtest/gtest.h>

namespace kdb::routing {
namespace {

std::string Merged(redis::Merge merge, uint32_t keys, std::vector<PartReply> parts) {
  Random random(1);
  return MergeReplies(merge, resp::Version::kResp2, keys, parts, random);
}

TEST(MergeTest, SumsIntegers) {
  EXPECT_EQ(Merged(redis::Merge::kSum, 3, {{{}, ":2\r\n"}, {{}, ":40\r\n"}}), ":42\r\n");
}

TEST(MergeTest, PutsElementsWhereTheirKeysWere) {
  EXPECT_EQ(Merged(redis::Merge::kInKeyOrder, 3,
                   {{{0, 2}, "*2\r\n$1\r\na\r\n$-1\r\n"}, {{1}, "*1\r\n$1\r\nb\r\n"}}),
            "*3\r\n$1\r\na\r\n$1\r\nb\r\n$-1\r\n");
}

TEST(MergeTest, JoinsArrays) {
  EXPECT_EQ(Merged(redis::Merge::kConcat, 0, {{{}, "*1\r\n$1\r\na\r\n"}, {{}, "*0\r\n"}}),
            "*1\r\n$1\r\na\r\n");
}

TEST(MergeTest, PicksAKeyWhereThereIsOne) {
  EXPECT_EQ(Merged(redis::Merge::kAnyNonNull, 0, {{{}, "$-1\r\n"}, {{}, "$1\r\na\r\n"}}),
            "$1\r\na\r\n");
  EXPECT_EQ(Merged(redis::Merge::kAnyNonNull, 0, {{{}, "$-1\r\n"}, {{}, "$-1\r\n"}}), "$-1\r\n");
}

TEST(MergeTest, RepliesThatDoNotFitAreAnError) {
  for (const char* odd : {"$1\r\na\r\n", "*2\r\n:1\r\n", "*1\r\n", "", "*-1\r\n", "*x\r\n"}) {
    EXPECT_TRUE(Merged(redis::Merge::kInKeyOrder, 1, {{{0}, odd}}).starts_with("-ERR")) << odd;
    EXPECT_TRUE(Merged(redis::Merge::kSum, 1, {{{0}, odd}}).starts_with("-ERR")) << odd;
  }
}

}  // namespace
}  // namespace kdb::routing

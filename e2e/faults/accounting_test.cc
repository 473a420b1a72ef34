#include "e2e/faults/accounting.h"

#include <gtest/gtest.h>

namespace kdb::e2e {
namespace {

std::string Problems(std::string_view text) {
  auto history = testing::ParseHistory(text);
  EXPECT_TRUE(history.ok()) << history.status();
  std::string all;
  for (const std::string& problem : TakeAccounts(*history).problems) all += problem + "\n";
  return all;
}

TEST(Accounting, CountersLieBetweenAcknowledgedAndUnknown) {
  std::string writes = "1 2 a INCR n 1 -> 1\n3 ? b INCR n 1\n";
  EXPECT_EQ(Problems(writes + "9 10 r GET n -> 1"), "");
  EXPECT_EQ(Problems(writes + "9 10 r GET n -> 2"), "");
  EXPECT_NE(Problems(writes + "9 10 r GET n -> (nil)"), "");
  EXPECT_NE(Problems(writes + "9 10 r GET n -> 3"), "");
}

TEST(Accounting, SaysThatALossIsOne) {
  auto lost = [](std::string_view text) { return TakeAccounts(*testing::ParseHistory(text)).lost; };
  std::string counter = "1 2 a INCR n 1 -> 1\n3 4 b INCR n 1 -> 2\n";
  EXPECT_EQ(lost(counter + "9 10 r GET n -> 2"), 0u);
  EXPECT_EQ(lost(counter + "9 10 r GET n -> 1"), 1u);
  EXPECT_EQ(lost(counter + "9 10 r GET n -> 3"), 0u);  // wrong, but nothing is missing
  std::string list = "1 2 a APPEND l x, -> 2\n";
  EXPECT_EQ(lost(list + "9 10 r GET l -> (nil)"), 1u);
  EXPECT_EQ(lost(list + "9 10 r GET l -> x,x,"), 0u);
}

TEST(Accounting, EveryKeyWrittenIsReadAtTheEnd) {
  for (std::string_view early :
       {"1 9 a INCR n 1 -> 1\n2 3 r GET n -> (nil)", "1 9 a APPEND n x, -> 2\n2 3 r GET n -> x,",
        "1 9 a SET n x -> OK", "1 ? a INCR n 1"}) {
    EXPECT_EQ(Problems(early), "n was not read after its last acknowledged write\n") << early;
    EXPECT_EQ(TakeAccounts(*testing::ParseHistory(early)).unread, 1u);
  }
  EXPECT_EQ(Problems("1 9 r GET n -> (nil)"), "");
}

TEST(Accounting, TokensAreThereOnce) {
  std::string writes = "1 2 a APPEND l x, -> 2\n3 ? b APPEND l y,\n";
  EXPECT_EQ(Problems(writes + "9 10 r GET l -> x,"), "");
  EXPECT_EQ(Problems(writes + "9 10 r GET l -> x,y,"), "");
  EXPECT_NE(Problems(writes + "9 10 r GET l -> x,x,").find("has twice x,"), std::string::npos);
  EXPECT_NE(Problems(writes + "9 10 r GET l -> y,").find("lost the acknowledged x,"),
            std::string::npos);
  EXPECT_NE(Problems(writes + "9 10 r GET l -> x,z,").find("never sent"), std::string::npos);
}

TEST(Accounting, RegistersAreLeftToTheChecker) {
  EXPECT_EQ(Problems("1 2 a SET s 5 -> OK\n3 4 a INCR s 1 -> 6\n5 6 a GET s -> 6"), "");
}

}  // namespace
}  // namespace kdb::e2e

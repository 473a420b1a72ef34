#include "pkg/resp/integer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace kdb::resp {
namespace {

TEST(ParseInteger, ReadsTheWholeRange) {
  for (const int64_t v :
       {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{10}, int64_t{-987654321},
        std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()}) {
    EXPECT_EQ(ParseInteger(std::to_string(v)), v);
  }
}

TEST(ParseInteger, RefusesWhatIsOutOfRange) {
  EXPECT_FALSE(ParseInteger("9223372036854775808"));
  EXPECT_FALSE(ParseInteger("-9223372036854775809"));
  EXPECT_FALSE(ParseInteger("18446744073709551616"));
  EXPECT_FALSE(ParseInteger("99999999999999999999"));
}

TEST(ParseInteger, RefusesOtherSpellings) {
  for (const char* text :
       {"", "-", "+1", "01", "-0", "-01", "00", " 1", "1 ", "1.0", "0x1", "1e3"}) {
    EXPECT_FALSE(ParseInteger(text)) << text;
  }
  EXPECT_FALSE(ParseInteger(std::string_view("1\0", 2)));
}

}  // namespace
}  // namespace kdb::resp

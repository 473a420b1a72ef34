#include "pkg/redis/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace kdb::redis {
namespace {

void ExpectMatches(std::string_view pattern, std::string_view text) {
  EXPECT_TRUE(GlobMatch(pattern, text)) << pattern << " " << text;
}

void ExpectNoMatch(std::string_view pattern, std::string_view text) {
  EXPECT_FALSE(GlobMatch(pattern, text)) << pattern << " " << text;
}

TEST(GlobMatch, ComparesLiterals) {
  ExpectMatches("", "");
  ExpectMatches("abc", "abc");
  ExpectNoMatch("abc", "abd");
  ExpectNoMatch("abc", "ab");
  ExpectNoMatch("abc", "abcd");
  ExpectNoMatch("", "a");
  ExpectNoMatch("a", "");
}

TEST(GlobMatch, StarsTakeAnyStretch) {
  ExpectMatches("*", "");
  ExpectMatches("*", "abc");
  ExpectMatches("a*", "a");
  ExpectMatches("a**", "a");
  ExpectMatches("*c", "abc");
  ExpectMatches("a*b*c", "aXbbYcc");
  ExpectMatches("*ab*ab*", "abcab");
  ExpectNoMatch("*ab*ab*", "abc");
  ExpectNoMatch("*a", "ab");
}

TEST(GlobMatch, OnlyOneStarMatchesTheEmptyText) {
  ExpectNoMatch("**", "");
  ExpectNoMatch("?", "");
}

TEST(GlobMatch, ClassesTakeOneByte) {
  ExpectMatches("[abc]x", "bx");
  ExpectMatches("[a-c]", "b");
  ExpectMatches("[c-a]", "b");
  ExpectNoMatch("[a-c]", "d");
  ExpectMatches("[^a-c]", "d");
  ExpectNoMatch("[^a-c]", "a");
  ExpectMatches("[\\]]", "]");
  ExpectMatches("[\\-x]", "-");
  ExpectMatches("h[ae]*o", "hallo");
  ExpectNoMatch("[]", "a");
}

TEST(GlobMatch, AnUnclosedClassEndsWithThePattern) {
  ExpectMatches("[a", "a");
  ExpectMatches("[^", "x");
  ExpectNoMatch("[", "[");
  ExpectMatches("[a-", "-");
  // The bracket is the end of the range.
  ExpectMatches("[a-]", "^");
}

TEST(GlobMatch, BackslashTakesTheNextByteLiterally) {
  ExpectMatches("a\\*", "a*");
  ExpectNoMatch("a\\*", "ab");
  ExpectMatches("\\a\\?", "a?");
  ExpectMatches("a\\", "a\\");
}

TEST(GlobMatch, TakesAnyByte) {
  ExpectMatches(std::string_view("a\0*", 3), std::string_view("a\0b", 3));
  ExpectMatches("?\xff", "\x80\xff");
}

TEST(GlobMatch, IsPolynomial) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "a*";
  ExpectNoMatch(pattern + "b", std::string(5'000, 'a'));
}

TEST(GlobMatchIgnoreCase, FoldsAscii) {
  EXPECT_TRUE(GlobMatchIgnoreCase("MAX*[A-C]", "maxmemb"));
  EXPECT_TRUE(GlobMatchIgnoreCase("max*", "MaxMem"));
  EXPECT_FALSE(GlobMatch("MAX*", "maxmem"));
}

TEST(GlobPrefix, IsWhatEveryMatchBeginsWith) {
  const struct {
    const char* pattern;
    const char* prefix;
    bool exact;
  } kCases[] = {
      {"", "", true},         {"abc", "abc", true},     {"abc*", "abc", false},
      {"*", "", false},       {"a?c", "a", false},      {"ab[c]", "ab", false},
      {"a\\*b", "a*b", true}, {"a\\*b*", "a*b", false}, {"ab\\", "ab\\", true},
  };
  for (const auto& c : kCases) {
    bool exact = !c.exact;
    EXPECT_EQ(GlobPrefix(c.pattern, &exact), c.prefix) << c.pattern;
    EXPECT_EQ(exact, c.exact) << c.pattern;
  }
}

}  // namespace
}  // namespace kdb::redis

#include "pkg/resp/inline_args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kdb::resp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Split(std::string_view line) {
  std::string unquoted;
  std::vector<std::string_view> args;
  if (!SplitInline(line, &unquoted, &args)) return {"<unbalanced>"};
  return {args.begin(), args.end()};
}

TEST(SplitInline, SeparatesByAnySpace) {
  EXPECT_THAT(Split("  get \t k\r\v\f x "), ElementsAre("get", "k", "x"));
  EXPECT_THAT(Split(" \t "), IsEmpty());
  EXPECT_THAT(Split(""), IsEmpty());
}

TEST(SplitInline, VerticalTabDoesNotEndAWord) {
  EXPECT_THAT(Split("a\vb c\f"), ElementsAre("a\vb", "c\f"));
}

TEST(SplitInline, UnescapesInDoubleQuotes) {
  EXPECT_THAT(Split(R"("a b" "\n\r\t\b\a" "\x41\x7a\xfF" "\q\\\"" "\xg1" "")"),
              ElementsAre("a b", "\n\r\t\b\a", "Az\xff", "q\\\"", "xg1", ""));
}

TEST(SplitInline, KnowsOnlyTheQuoteInSingleQuotes) {
  EXPECT_THAT(Split(R"('a b' '\n' 'it\'s' '"' '')"), ElementsAre("a b", "\\n", "it's", "\"", ""));
}

TEST(SplitInline, QuotesMayBeginInsideAWord) {
  EXPECT_THAT(Split(R"(ab"c d" e'f g')"), ElementsAre("abc d", "ef g"));
}

TEST(SplitInline, RefusesUnbalancedQuotes) {
  for (const char* line : {"\"", "'", "\"a", "'a", "\"a\"b", "'a'b", "\"a\"\"b\"", "'a\\'",
                           "\"a\\\"", "\"a\\", "a\"b\"'c'"}) {
    EXPECT_THAT(Split(line), ElementsAre("<unbalanced>")) << line;
  }
}

}  // namespace
}  // namespace kdb::resp

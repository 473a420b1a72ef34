#include "pkg/testing/history.h"

#include <gtest/gtest.h>

namespace kdb::testing {
namespace {

TEST(History, TextRoundTrips) {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  Operation append{.key = bytes,
                   .kind = OpKind::kAppend,
                   .argument = bytes,
                   .call = 1,
                   .ret = 2,
                   .result = "256",
                   .client = "c1"};
  Operation get{.key = "", .call = 3, .ret = 4, .result = std::nullopt, .client = "c1"};
  Operation nil_text{.key = "k", .call = 3, .ret = 4, .result = "(nil)", .client = "c1"};
  Operation open{.key = "k", .kind = OpKind::kSet, .argument = "", .call = 5, .client = "c2"};
  std::string text = "# a comment\n\n";
  for (const Operation& op : {append, get, nil_text, open}) text += FormatOperation(op) + " # \n";

  absl::StatusOr<std::vector<Operation>> history = ParseHistory(text);
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_EQ(history->size(), 4u);
  EXPECT_EQ((*history)[0].key, bytes);
  EXPECT_EQ((*history)[0].argument, bytes);
  EXPECT_EQ((*history)[0].result, "256");
  EXPECT_EQ((*history)[1].key, "");
  EXPECT_EQ((*history)[1].result, std::nullopt);
  EXPECT_EQ((*history)[2].result, "(nil)");
  EXPECT_TRUE((*history)[3].open());
  EXPECT_EQ((*history)[3].client, "c2");
}

TEST(History, NamesTheLineThatIsWrong) {
  for (const char* line :
       {"1 2 c1 SET k v", "1 2 c1 SET k -> OK", "1 ? c1 GET k -> v", "2 1 c1 GET k -> v",
        "1 2 c1 PUT k v -> OK", "x 2 c1 GET k -> v", "1 2 c1 GET %4 -> v", "1 2 c1 GET k => v"}) {
    absl::Status status = ParseHistory("1 2 c1 GET k -> v\n" + std::string(line) + "\n").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_NE(status.message().find("line 2"), absl::string_view::npos) << line;
  }
}

}  // namespace
}  // namespace kdb::testing

#include "pkg/ctl/transcript.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kdb::ctl {
namespace {

using ::testing::HasSubstr;

TEST(TranscriptTest, ParsesCommandsAndSubstitutesAddresses) {
  auto transcript = ParseTranscript(
      "# a comment\n> shardgroup join 1 ${kv-0}\nOK\n> get a\n1) \"${kv-0}\"\n", {{"kv-0", "h:1"}});
  ASSERT_TRUE(transcript.ok()) << transcript.status();
  ASSERT_EQ(transcript->size(), 2u);
  EXPECT_EQ((*transcript)[0].command, "shardgroup join 1 h:1");
  EXPECT_EQ((*transcript)[0].expected, "OK\n");
  EXPECT_EQ((*transcript)[1].expected, "1) \"h:1\"\n");
}

TEST(TranscriptTest, RefusesUnknownNamesAndStrayOutput) {
  EXPECT_THAT(std::string(ParseTranscript("> get ${x}\n", {}).status().message()),
              HasSubstr("line 1"));
  EXPECT_THAT(std::string(ParseTranscript("OK\n> get a\n", {}).status().message()),
              HasSubstr("output before the first command"));
}

TEST(TranscriptTest, ComparesByteForByte) {
  EXPECT_EQ(Compare({"set a h", "OK\n"}, "OK\n"), "");
  EXPECT_EQ(Compare({"shardgroup join 1 x", "OK\n"}, "OK\n(0.76s)\n"), "");
  EXPECT_NE(Compare({"set a h", "OK\n"}, "ok\n"), "");
  EXPECT_NE(Compare({"get a", "\"h\"\n"}, "\"h\"\n(slow)\n"), "");
}

TEST(TranscriptTest, OfInfoComparesTheServersAndCountsLeaders) {
  Exchange info{"info",
                "meta server:\nserver_id: 0,server_address: h:1,status: Running,Role: Leader\n"
                "meta server:\nserver_id: 1,server_address: h:2,status: Running,Role: Follower\n"};
  std::string other_leader =
      "# Server\r\nx:1\r\n# Meta\r\nmeta server:\r\n"
      "server_id: 0,server_address: h:1,status: Running,Role: Follower\r\nmeta server:\r\n"
      "server_id: 1,server_address: h:2,status: Running,Role: Leader\r\n";
  EXPECT_EQ(Compare(info, other_leader), "");
  std::string none = other_leader;
  none.replace(none.find("Leader"), 6, "Follower");
  EXPECT_THAT(Compare(info, none), HasSubstr("0 leaders"));
  std::string down = other_leader;
  down.replace(down.find("Running"), 7, "Down");
  EXPECT_NE(Compare(info, down), "");
}

}  // namespace
}  // namespace kdb::ctl

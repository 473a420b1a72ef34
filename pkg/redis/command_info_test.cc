#include "pkg/redis/command_info.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pkg/redis/command_docs.h"
#include "pkg/resp/reply_reader.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::redis {
namespace {

using resp::Reply;
using resp::Version;

// A decoded reply and the bytes that its views point into.
struct Answer {
  std::string bytes;
  Reply reply;
};

Answer Ask(const std::vector<std::string_view>& args, Version version = Version::kResp3) {
  Answer answer;
  const Command* command = nullptr;
  EXPECT_TRUE(Resolve(args, &command).ok());
  resp::ReplyWriter writer(version, answer.bytes);
  AppendCommandReply(*command, args, writer);
  const std::optional<Reply> reply = resp::ReadReply(answer.bytes);
  EXPECT_TRUE(reply.has_value());
  EXPECT_EQ(resp::ReplyLength(answer.bytes), answer.bytes.size());
  if (reply) answer.reply = *reply;
  return answer;
}

TEST(CommandReply, ListsEveryCommand) {
  const size_t count = AllCommands().size();
  EXPECT_EQ(Ask({"command"}).reply.elements.size(), count);
  EXPECT_EQ(Ask({"command", "info"}).reply.elements.size(), count);
  EXPECT_EQ(Ask({"command", "count"}).reply.integer, static_cast<int64_t>(count));
  EXPECT_EQ(Ask({"command", "docs"}).reply.elements.size(), 2 * count);
  EXPECT_EQ(Ask({"command", "docs"}, Version::kResp2).reply.elements.size(), 2 * count);
}

TEST(CommandReply, ListNamesSubcommandsToo) {
  const Answer all = Ask({"command", "list"});
  EXPECT_GT(all.reply.elements.size(), AllCommands().size());
  const Answer strings = Ask({"command", "list", "filterby", "aclcat", "STRING"});
  EXPECT_EQ(strings.reply.elements.size(), 21u);
  const Answer client = Ask({"command", "list", "filterby", "pattern", "client|*"});
  EXPECT_EQ(client.reply.elements.size(), FindCommand("client")->subcommands.size());
}

TEST(CommandReply, DocumentsContainersWithTheirSubcommands) {
  const Answer answer = Ask({"command", "docs", "CONFIG"});
  ASSERT_EQ(answer.reply.elements.size(), 2u);
  EXPECT_EQ(answer.reply.elements[0].text, "config");
  const Reply& doc = answer.reply.elements[1];
  EXPECT_EQ(doc.type, Reply::Type::kMap);
  ASSERT_EQ(doc.elements.size(), 10u);
  EXPECT_EQ(doc.elements[8].text, "subcommands");
  EXPECT_EQ(doc.elements[9].elements.size(), 2 * FindCommand("config")->subcommands.size());
}

TEST(CommandReply, DocumentsDeprecation) {
  const Answer answer = Ask({"command", "docs", "substr"});
  const Reply& doc = answer.reply.elements.at(1);
  ASSERT_EQ(doc.elements.size(), 14u);
  EXPECT_EQ(doc.elements[9].type, Reply::Type::kSet);
  EXPECT_EQ(doc.elements[13].text, "`GETRANGE`");
}

TEST(Help, NamesEverySubcommand) {
  const Answer answer = Ask({"command", "help"});
  ASSERT_EQ(answer.reply.elements.size(), 1 + 2 * FindCommand("command")->subcommands.size());
  EXPECT_EQ(answer.reply.elements[0].text,
            "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  EXPECT_EQ(answer.reply.elements[1].text, "COUNT");
  EXPECT_EQ(answer.reply.elements[2].text, "    Counts the commands.");
  EXPECT_EQ(answer.reply.elements[3].text, "DOCS [command-name [command-name ...]]");

  std::string bytes;
  resp::ReplyWriter writer(Version::kResp2, bytes);
  AppendHelp(*FindCommand("shardgroup"), writer);
  EXPECT_NE(bytes.find("+JOIN gid address[,address...]\r\n"), bytes.npos);
}

}  // namespace
}  // namespace kdb::redis

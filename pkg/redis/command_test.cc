#include "pkg/redis/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pkg/redis/parse.h"
#include "pkg/redis/words.h"

namespace kdb::redis {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int> Keys(const std::vector<std::string_view>& args) {
  const Command* command = nullptr;
  EXPECT_TRUE(Resolve(args, &command).ok());
  std::vector<int> positions = {99};
  KeyPositions(*command, args, &positions);
  return positions;
}

std::string Refusal(const std::vector<std::string_view>& args) {
  const Command* command = nullptr;
  return std::string(ErrorText(Resolve(args, &command)));
}

TEST(FindCommand, FindsEveryRowInAnyCase) {
  for (const Command* command : AllCommands()) {
    std::string name(command->name);
    EXPECT_EQ(FindCommand(name), command);
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(FindCommand(name), command);
    EXPECT_EQ(FindCommand(name + "x"), nullptr);
    EXPECT_EQ(FindCommand(name.substr(0, name.size() - 1) + "_"), nullptr);
  }
  EXPECT_EQ(FindCommand(""), nullptr);
  EXPECT_EQ(FindCommand({}), nullptr);
}

TEST(FindSubcommand, TakesTheNameWithoutTheContainers) {
  const Command& client = *FindCommand("client");
  ASSERT_NE(FindSubcommand(client, "LiSt"), nullptr);
  EXPECT_EQ(FindSubcommand(client, "list")->name, "client|list");
  EXPECT_EQ(FindSubcommand(client, "client|list"), nullptr);
  EXPECT_EQ(FindSubcommand(*FindCommand("get"), "x"), nullptr);
}

TEST(CommandTable, RowsAreSortedAndConsistent) {
  std::string_view previous;
  for (const Command* command : AllCommands()) {
    EXPECT_LT(previous, command->name);
    previous = command->name;
    EXPECT_FALSE(command->summary.empty()) << command->name;
    EXPECT_FALSE(command->group.empty()) << command->name;
    std::string_view before;
    for (const Command& subcommand : command->subcommands) {
      EXPECT_TRUE(subcommand.name.starts_with(std::string(command->name) + "|"));
      EXPECT_LT(before, subcommand.name);
      before = subcommand.name;
    }
  }
}

TEST(CommandTable, RoutesSuitTheKeys) {
  for (const Command* command : AllCommands()) {
    const bool keyed = command->route == Route::kSingle || command->route == Route::kSplitKeys;
    EXPECT_EQ(command->first_key != 0, keyed) << command->name;
    EXPECT_EQ(command->key_flags.empty(), !keyed) << command->name;
    const bool merged = command->route == Route::kSplitKeys || command->route == Route::kAllGroups;
    EXPECT_EQ(command->merge != Merge::kNone, merged) << command->name;
    if (keyed) {
      EXPECT_NE((command->flags & kWrite) != 0, (command->flags & kReadonly) != 0) << command->name;
    }
  }
}

TEST(Resolve, GivesTheSubcommandsRow) {
  const Command* command = nullptr;
  const std::vector<std::string_view> args = {"Client", "SETNAME", "me"};
  ASSERT_TRUE(Resolve(args, &command).ok());
  EXPECT_EQ(command->name, "client|setname");
  const std::vector<std::string_view> bare = {"COMMAND"};
  ASSERT_TRUE(Resolve(bare, &command).ok());
  EXPECT_EQ(command->name, "command");
}

TEST(Resolve, RefusesInRedissWords) {
  EXPECT_EQ(Refusal({"foo", "a", "b"}),
            "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
  EXPECT_EQ(Refusal({"GET"}), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(Refusal({"mset", "a", "1", "b"}), "ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(Refusal({"msetnx", "a", "1", "b"}),
            "ERR wrong number of arguments for 'msetnx' command");
  EXPECT_EQ(Refusal({"client"}), "ERR wrong number of arguments for 'client' command");
  EXPECT_EQ(Refusal({"client", "id", "x"}),
            "ERR wrong number of arguments for 'client|id' command");
  EXPECT_EQ(Refusal({"client", "foo"}), "ERR unknown subcommand 'foo'. Try CLIENT HELP.");
  EXPECT_EQ(Refusal({"shardgroup", "foo"}), "ERR unknown subcommand 'foo'. Try SHARDGROUP HELP.");
}

TEST(KeyPositions, FollowTheRow) {
  EXPECT_THAT(Keys({"get", "a"}), ElementsAre(1));
  EXPECT_THAT(Keys({"set", "a", "b", "ex", "1"}), ElementsAre(1));
  EXPECT_THAT(Keys({"mget", "a", "b", "c"}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Keys({"mset", "a", "1", "b", "2"}), ElementsAre(1, 3));
  EXPECT_THAT(Keys({"ping"}), IsEmpty());
  EXPECT_THAT(Keys({"client", "id"}), IsEmpty());
}

TEST(Words, SplitsAtSingleSpaces) {
  EXPECT_THAT(Words(""), IsEmpty());
  EXPECT_THAT(Words("a"), ElementsAre("a"));
  EXPECT_THAT(Words("RO access"), ElementsAre("RO", "access"));
}

}  // namespace
}  // namespace kdb::redis

#include "pkg/proxy/local_command.h"

#include <gtest/gtest.h>

namespace kdb::proxy {
namespace {

bool IsLocal(const redis::Command& command) {
  return command.route == redis::Route::kProxy || command.route == redis::Route::kCatalog;
}

TEST(LocalCommand, EveryLocalRowOfTheCommandTableHasAHandler) {
  for (const redis::Command* command : redis::AllCommands()) {
    // A bare container is refused for its arity, but for COMMAND.
    if (IsLocal(*command) && (command->subcommands.empty() || command->arity == -1)) {
      EXPECT_NE(FindLocalHandler(command->name), nullptr) << command->name;
    }
    for (const redis::Command& row : command->subcommands) {
      EXPECT_TRUE(IsLocal(row)) << row.name;
      EXPECT_NE(FindLocalHandler(row.name), nullptr) << row.name;
    }
  }
}

TEST(LocalCommand, EveryHandlerIsOfALocalRow) {
  for (std::span<const LocalRow> rows : {ConnectionRows(), CatalogRows(), ClientRows(),
                                         ConfigRows(), ReplicationRows(), ServerRows()}) {
    for (const LocalRow& row : rows) {
      const redis::Command* command = redis::FindByFullName(row.name);
      ASSERT_NE(command, nullptr) << row.name;
      EXPECT_TRUE(IsLocal(*command)) << row.name;
    }
  }
}

TEST(LocalCommand, RoutedCommandsHaveNoHandler) {
  EXPECT_EQ(FindLocalHandler("get"), nullptr);
  EXPECT_EQ(FindLocalHandler("bogus"), nullptr);
}

}  // namespace
}  // namespace kdb::proxy

#include "pkg/redis/command_docs.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "pkg/redis/ascii.h"
#include "pkg/redis/words.h"

namespace kdb::redis {
namespace {

using resp::ReplyWriter;

void AppendDoc(const Command& command, ReplyWriter& reply) {
  const std::pair<std::string_view, std::string_view> fields[] = {
      {"summary", command.summary},
      {"since", command.since},
      {"group", command.group},
      {"complexity", command.complexity},
  };
  const bool deprecated = !command.deprecated_since.empty();
  const bool container = !command.subcommands.empty();
  reply.Map(std::size(fields) + (deprecated ? 3 : 0) + (container ? 1 : 0));
  for (const auto& [name, value] : fields) {
    reply.Bulk(name);
    reply.Bulk(value);
  }
  if (deprecated) {
    reply.Bulk("doc_flags");
    reply.Set(1);
    reply.Simple("deprecated");
    reply.Bulk("deprecated_since");
    reply.Bulk(command.deprecated_since);
    reply.Bulk("replaced_by");
    reply.Bulk(command.replaced_by);
  }
  if (container) {
    reply.Bulk("subcommands");
    reply.Map(command.subcommands.size());
    for (const Command& subcommand : command.subcommands) {
      reply.Bulk(subcommand.name);
      AppendDoc(subcommand, reply);
    }
  }
}

}  // namespace

void AppendDocs(std::span<const std::string_view> names, ReplyWriter& reply) {
  std::vector<const Command*> commands;
  for (const std::string_view name : names) {
    const Command* command = FindByFullName(name);
    if (command != nullptr) commands.push_back(command);
  }
  if (names.empty()) commands.assign(AllCommands().begin(), AllCommands().end());
  reply.Map(commands.size());
  for (const Command* command : commands) {
    reply.Bulk(command->name);
    AppendDoc(*command, reply);
  }
}

void AppendHelp(const Command& container, ReplyWriter& reply) {
  reply.Array(1 + 2 * container.subcommands.size());
  reply.Simple(fmt::format("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                           ToUpper(container.name)));
  for (const Command& subcommand : container.subcommands) {
    const std::string name = ToUpper(subcommand.name.substr(container.name.size() + 1));
    reply.Simple(subcommand.syntax.empty() ? name : fmt::format("{} {}", name, subcommand.syntax));
    reply.Simple(fmt::format("    {}.", subcommand.summary));
  }
}

}  // namespace kdb::redis

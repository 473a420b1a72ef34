#include "pkg/redis/command_info.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/redis/command_docs.h"
#include "pkg/redis/parse.h"
#include "pkg/redis/words.h"

namespace kdb::redis {
namespace {

using Args = std::span<const std::string_view>;
using resp::ReplyWriter;

// In the order in which Redis lists them.
constexpr std::pair<Flag, std::string_view> kFlagNames[] = {
    {kWrite, "write"},      {kReadonly, "readonly"},        {kDenyOom, "denyoom"},
    {kAdmin, "admin"},      {kNoScript, "noscript"},        {kLoading, "loading"},
    {kStale, "stale"},      {kSkipMonitor, "skip_monitor"}, {kSkipSlowlog, "skip_slowlog"},
    {kFast, "fast"},        {kNoAuth, "no_auth"},           {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"}, {kMovableKeys, "movablekeys"},  {kAllowBusy, "allow_busy"},
};

void AppendFlags(uint32_t flags, ReplyWriter& reply) {
  size_t count = 0;
  for (const auto& [flag, name] : kFlagNames) count += (flags & flag) != 0;
  reply.Set(count);
  for (const auto& [flag, name] : kFlagNames) {
    if ((flags & flag) != 0) reply.Simple(name);
  }
}

void AppendCategories(const Command& command, ReplyWriter& reply) {
  const std::vector<std::string_view> categories = Words(command.categories);
  reply.Set(categories.size());
  for (const std::string_view category : categories) reply.Simple(fmt::format("@{}", category));
}

void AppendKeyFlags(std::string_view flags, ReplyWriter& reply) {
  const std::vector<std::string_view> words = Words(flags);
  reply.Set(words.size());
  for (const std::string_view word : words) reply.Simple(word);
}

// Every command here has its keys in one range, so one specification at most.
void AppendKeySpecifications(const Command& command, ReplyWriter& reply) {
  reply.Set(command.first_key == 0 ? 0 : 1);
  if (command.first_key == 0) return;
  reply.Map(command.key_notes.empty() ? 3 : 4);
  if (!command.key_notes.empty()) {
    reply.Bulk("notes");
    reply.Bulk(command.key_notes);
  }
  reply.Bulk("flags");
  AppendKeyFlags(command.key_flags, reply);
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Integer(command.first_key);
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("range");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk("lastkey");  // relative to the first
  reply.Integer(command.last_key < 0 ? command.last_key : command.last_key - command.first_key);
  reply.Bulk("keystep");
  reply.Integer(command.key_step);
  reply.Bulk("limit");
  reply.Integer(0);
}

void AppendInfo(const Command& command, ReplyWriter& reply) {
  reply.Array(10);
  reply.Bulk(command.name);
  reply.Integer(command.arity);
  AppendFlags(command.flags, reply);
  reply.Integer(command.first_key);
  reply.Integer(command.last_key);
  reply.Integer(command.key_step);
  AppendCategories(command, reply);
  const std::vector<std::string_view> tips = Words(command.tips);
  reply.Set(tips.size());
  for (const std::string_view tip : tips) reply.Bulk(tip);
  AppendKeySpecifications(command, reply);
  reply.Set(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) AppendInfo(subcommand, reply);
}

void AppendAllInfo(ReplyWriter& reply) {
  reply.Array(AllCommands().size());
  for (const Command* command : AllCommands()) AppendInfo(*command, reply);
}

void AppendInfoOf(Args names, ReplyWriter& reply) {
  reply.Array(names.size());
  for (const std::string_view name : names) {
    const Command* command = FindByFullName(name);
    command == nullptr ? reply.Null() : AppendInfo(*command, reply);
  }
}

enum class ListFilter { kNone, kModule, kCategory, kPattern };

bool Listed(const Command& command, ListFilter filter, std::string_view operand) {
  switch (filter) {
    case ListFilter::kNone:
      return true;
    case ListFilter::kModule:
      return false;  // there are none
    case ListFilter::kPattern:
      return GlobMatchIgnoreCase(operand, command.name);
    case ListFilter::kCategory:
      break;
  }
  for (const std::string_view category : Words(command.categories)) {
    if (EqualsIgnoreCase(category, operand)) return true;
  }
  return false;
}

// COMMAND LIST [FILTERBY kind operand]
void AppendList(Args args, ReplyWriter& reply) {
  ListFilter filter = ListFilter::kNone;
  if (args.size() > 2) {
    if (args.size() != 5 || !EqualsIgnoreCase(args[2], "FILTERBY")) {
      return reply.Error(ErrorText(SyntaxError()));
    }
    if (EqualsIgnoreCase(args[3], "MODULE")) filter = ListFilter::kModule;
    if (EqualsIgnoreCase(args[3], "ACLCAT")) filter = ListFilter::kCategory;
    if (EqualsIgnoreCase(args[3], "PATTERN")) filter = ListFilter::kPattern;
    if (filter == ListFilter::kNone) return reply.Error(ErrorText(SyntaxError()));
  }
  const std::string_view operand = args.size() > 4 ? args[4] : "";
  std::vector<std::string_view> names;
  for (const Command* command : AllCommands()) {
    if (Listed(*command, filter, operand)) names.push_back(command->name);
    for (const Command& subcommand : command->subcommands) {
      if (Listed(subcommand, filter, operand)) names.push_back(subcommand.name);
    }
  }
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

// What this very call does with its keys: only SET's depends on its options.
std::string_view KeyFlagsOfCall(const Command& command, Args call) {
  if (command.name != "set") return command.key_flags;
  for (const std::string_view option : call.subspan(3)) {
    if (EqualsIgnoreCase(option, "GET")) return "RW access update";
  }
  return "OW update";
}

// COMMAND GETKEYS and GETKEYSANDFLAGS; `call` is the command in question.
void AppendKeys(Args call, bool with_flags, ReplyWriter& reply) {
  const Command* command = FindCommand(call[0]);
  if (command != nullptr && !command->subcommands.empty() && call.size() > 1) {
    command = FindSubcommand(*command, call[1]);
  }
  if (command == nullptr) return reply.Error("ERR Invalid command specified");
  if (command->first_key == 0) return reply.Error("ERR The command has no key arguments");
  if (!ArityMatches(*command, call.size())) {
    return reply.Error("ERR Invalid number of arguments specified for command");
  }
  std::vector<int> positions;
  KeyPositions(*command, call, &positions);
  reply.Array(positions.size());
  for (const int position : positions) {
    if (with_flags) reply.Array(2);
    reply.Bulk(call[static_cast<size_t>(position)]);
    if (with_flags) AppendKeyFlags(KeyFlagsOfCall(*command, call), reply);
  }
}

}  // namespace

void AppendCommandReply(const Command& command, Args args, ReplyWriter& reply) {
  const std::string_view name = command.name;
  if (name == "command") return AppendAllInfo(reply);
  const Args operands = args.subspan(2);
  if (name == "command|count") return reply.Integer(static_cast<int64_t>(AllCommands().size()));
  if (name == "command|docs") return AppendDocs(operands, reply);
  if (name == "command|getkeys") return AppendKeys(operands, false, reply);
  if (name == "command|getkeysandflags") return AppendKeys(operands, true, reply);
  if (name == "command|help") return AppendHelp(*FindCommand("command"), reply);
  if (name == "command|list") return AppendList(args, reply);
  KDB_CHECK(name == "command|info", "{}", name);
  operands.empty() ? AppendAllInfo(reply) : AppendInfoOf(operands, reply);
}

}  // namespace kdb::redis

// Lists of words in rows of the command table, and names as COMMAND INFO takes them.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "pkg/redis/command.h"

namespace kdb::redis {

// The words of a text that separates them by one space.
inline std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// "get", "client", "client|list"; nullptr when unknown.
inline const Command* FindByFullName(std::string_view name) {
  const size_t bar = name.find('|');
  const Command* command = FindCommand(name.substr(0, bar));
  if (command == nullptr || bar == name.npos) return command;
  return FindSubcommand(*command, name.substr(bar + 1));
}

}  // namespace kdb::redis

// Lists of words, as rows of the command table have them.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

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

}  // namespace kdb::redis

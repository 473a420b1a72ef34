#include "pkg/redis/glob.h"

#include <cstddef>
#include <utility>

#include "pkg/redis/ascii.h"

namespace kdb::redis {
namespace {

class Matcher {
 public:
  Matcher(std::string_view pattern, bool ignore_case)
      : pattern_(pattern), ignore_case_(ignore_case) {}

  // Every token but a star takes exactly one byte. So when the tokens behind a star do not match,
  // only the last star needs to try a longer stretch: an earlier one could not do better.
  bool Matches(std::string_view text) {
    if (text.empty()) return pattern_.empty() || pattern_ == "*";
    size_t at = 0;
    size_t star_text = text.npos;  // where the text behind the last star begins
    size_t star_pattern = 0;
    while (at < text.size()) {
      if (Star()) {
        SkipStars();
        if (pattern_at_ == pattern_.size()) return true;
        star_pattern = pattern_at_;
        star_text = at;
      } else if (pattern_at_ < pattern_.size() && Token(text[at])) {
        ++at;
      } else {
        if (star_text == text.npos) return false;
        pattern_at_ = star_pattern;
        at = ++star_text;
      }
    }
    SkipStars();
    return pattern_at_ == pattern_.size();
  }

 private:
  bool Star() const { return pattern_at_ < pattern_.size() && pattern_[pattern_at_] == '*'; }
  void SkipStars() {
    while (Star()) ++pattern_at_;
  }

  bool Equal(char a, char b) const { return ignore_case_ ? ToLower(a) == ToLower(b) : a == b; }

  // Whether the token at pattern_at_ takes `c`; moves behind it.
  bool Token(char c) {
    switch (pattern_[pattern_at_]) {
      case '?':
        ++pattern_at_;
        return true;
      case '[':
        ++pattern_at_;
        return Class(c);
      case '\\':
        if (pattern_at_ + 1 < pattern_.size()) ++pattern_at_;
        break;
      default:
        break;
    }
    return Equal(pattern_[pattern_at_++], c);
  }

  // Behind the opening bracket. The end of the pattern closes the class, too.
  bool Class(char c) {
    const bool negated = pattern_at_ < pattern_.size() && pattern_[pattern_at_] == '^';
    if (negated) ++pattern_at_;
    bool match = false;
    while (pattern_at_ < pattern_.size() && pattern_[pattern_at_] != ']') {
      const std::string_view rest = pattern_.substr(pattern_at_);
      if (rest[0] == '\\' && rest.size() >= 2) {
        match |= rest[1] == c;
        pattern_at_ += 2;
      } else if (rest.size() >= 3 && rest[1] == '-') {
        match |= InRange(rest[0], rest[2], c);
        pattern_at_ += 3;
      } else {
        match |= Equal(rest[0], c);
        pattern_at_ += 1;
      }
    }
    if (pattern_at_ < pattern_.size()) ++pattern_at_;
    return match != negated;
  }

  bool InRange(char from, char to, char c) const {
    signed char low = static_cast<signed char>(from);
    signed char high = static_cast<signed char>(to);
    if (low > high) std::swap(low, high);
    signed char byte = static_cast<signed char>(c);
    if (ignore_case_) {
      low = static_cast<signed char>(ToLower(static_cast<char>(low)));
      high = static_cast<signed char>(ToLower(static_cast<char>(high)));
      byte = static_cast<signed char>(ToLower(c));
    }
    return byte >= low && byte <= high;
  }

  const std::string_view pattern_;
  const bool ignore_case_;
  size_t pattern_at_ = 0;
};

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text) {
  return Matcher(pattern, false).Matches(text);
}

bool GlobMatchIgnoreCase(std::string_view pattern, std::string_view text) {
  return Matcher(pattern, true).Matches(text);
}

std::string GlobPrefix(std::string_view pattern, bool* exact) {
  std::string prefix;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '*' || c == '?' || c == '[') {
      *exact = false;
      return prefix;
    }
    if (c == '\\' && i + 1 < pattern.size()) c = pattern[++i];
    prefix.push_back(c);
  }
  *exact = true;
  return prefix;
}

}  // namespace kdb::redis

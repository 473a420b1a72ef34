#include "pkg/resp/inline_args.h"

#include <cstddef>

namespace kdb::resp {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// What ends a bare word; vertical tab and form feed separate words but do not end one (a Redis
// quirk).
bool EndsWord(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads one argument after another from a line.
class Splitter {
 public:
  Splitter(std::string_view line, std::string* unquoted) : line_(line), unquoted_(*unquoted) {}

  // The next argument in *word. False at the end, and when quotes are unbalanced.
  bool Next(std::string_view* word) {
    while (at_ < line_.size() && IsSpace(line_[at_])) ++at_;
    if (at_ == line_.size()) return false;
    const size_t start = at_;
    while (at_ < line_.size() && !EndsWord(line_[at_]) && !IsQuote(line_[at_])) ++at_;
    if (at_ == line_.size() || !IsQuote(line_[at_])) {
      *word = line_.substr(start, at_ - start);
      return true;
    }
    const size_t out = unquoted_.size();
    unquoted_.append(line_.substr(start, at_ - start));
    if (!Unquote()) return false;
    *word = std::string_view(unquoted_).substr(out);
    return true;
  }

  bool unbalanced() const { return unbalanced_; }

 private:
  static bool IsQuote(char c) { return c == '"' || c == '\''; }

  // At an opening quote. The word ends with the closing one.
  bool Unquote() {
    const char quote = line_[at_++];
    while (at_ < line_.size()) {
      if (line_[at_] == quote) {
        ++at_;
        if (at_ == line_.size() || IsSpace(line_[at_])) return true;
        break;
      }
      unquoted_.push_back(quote == '"' ? DoubleQuotedByte() : SingleQuotedByte());
    }
    unbalanced_ = true;
    return false;
  }

  char DoubleQuotedByte() {
    const std::string_view rest = line_.substr(at_);
    if (rest[0] != '\\' || rest.size() < 2) {
      ++at_;
      return rest[0];
    }
    if (rest.size() >= 4 && rest[1] == 'x' && HexDigit(rest[2]) >= 0 && HexDigit(rest[3]) >= 0) {
      at_ += 4;
      return static_cast<char>(HexDigit(rest[2]) * 16 + HexDigit(rest[3]));
    }
    at_ += 2;
    return Unescape(rest[1]);
  }

  char SingleQuotedByte() {
    if (line_.substr(at_).substr(0, 2) == "\\'") ++at_;
    return line_[at_++];
  }

  const std::string_view line_;
  std::string& unquoted_;
  size_t at_ = 0;
  bool unbalanced_ = false;
};

}  // namespace

bool SplitInline(std::string_view line, std::string* unquoted,
                 std::vector<std::string_view>* args) {
  unquoted->clear();
  // Unquoting never lengthens, so with this the views into it stay valid.
  if (line.find_first_of("\"'") != line.npos) unquoted->reserve(line.size());
  Splitter splitter(line, unquoted);
  for (std::string_view word; splitter.Next(&word);) args->push_back(word);
  return !splitter.unbalanced();
}

}  // namespace kdb::resp

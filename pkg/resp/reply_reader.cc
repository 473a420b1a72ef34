#include "pkg/resp/reply_reader.h"

#include <array>
#include <cstring>

#include "pkg/resp/integer.h"

namespace kdb::resp {
namespace {

using Type = Reply::Type;

constexpr size_t kMaxNesting = 32;
// No number in a header or an integer reply is longer: the sign and 19 digits.
constexpr size_t kMaxNumberBytes = 20;
// More elements or bytes than any reply can have; keeps the arithmetic on them from overflowing.
constexpr int64_t kMaxLength = int64_t{1} << 40;

// One item of the wire: a scalar, or the header of an aggregate.
struct Token {
  Type type = Type::kNull;
  std::string_view text;
  int64_t integer = 0;
  size_t children = 0;  // of an aggregate; a map's keys and values both count
};

enum class Progress { kToken, kNeedMore, kMalformed };

std::optional<Type> TypeOf(char c) {
  switch (c) {
    case '+':
      return Type::kSimple;
    case '-':
      return Type::kError;
    case ':':
      return Type::kInteger;
    case '$':
      return Type::kBulk;
    case '*':
      return Type::kArray;
    case '_':
      return Type::kNull;
    case '%':
      return Type::kMap;
    case '~':
      return Type::kSet;
    case '>':
      return Type::kPush;
    case ',':
      return Type::kDouble;
    case '#':
      return Type::kBoolean;
    case '(':
      return Type::kBigNumber;
    case '=':
      return Type::kVerbatim;
    default:
      return std::nullopt;
  }
}

bool IsAggregate(Type type) {
  return type == Type::kArray || type == Type::kMap || type == Type::kSet || type == Type::kPush;
}

bool IsBlob(Type type) { return type == Type::kBulk || type == Type::kVerbatim; }

bool IsBigNumber(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

bool IsDouble(std::string_view text) {
  if (text == "inf" || text == "-inf" || text == "nan") return true;
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == text.npos;
}

// Reads tokens from the front of its input.
class Tokenizer {
 public:
  explicit Tokenizer(std::string_view in) : in_(in) {}

  size_t position() const { return at_; }

  // Leaves the position alone unless it returns kToken.
  Progress Next(Token* token) {
    if (at_ == in_.size()) return Progress::kNeedMore;
    const std::optional<Type> type = TypeOf(in_[at_]);
    if (!type) return Progress::kMalformed;
    std::string_view line;
    const Progress progress = ReadLine(*type, &line);
    if (progress != Progress::kToken) return progress;
    *token = Token{*type, line};
    const size_t next = at_ + 1 + line.size() + 2;
    if (IsAggregate(*type) || IsBlob(*type)) return Sized(line, next, token);
    if (!Scalar(line, token)) return Progress::kMalformed;
    at_ = next;
    return Progress::kToken;
  }

 private:
  static bool HasFreeText(Type type) {
    return type == Type::kSimple || type == Type::kError || type == Type::kDouble ||
           type == Type::kBigNumber;
  }

  // The rest of the line behind the type byte. A CR without LF, or the reverse, is malformed.
  Progress ReadLine(Type type, std::string_view* line) const {
    const size_t start = at_ + 1;
    const bool number = !HasFreeText(type);
    const std::string_view rest =
        number ? in_.substr(start, kMaxNumberBytes + 1) : in_.substr(start);
    const size_t length = number ? FindNewline(rest) : rest.find_first_of("\r\n");
    if (length == rest.npos) {
      return number && rest.size() > kMaxNumberBytes ? Progress::kMalformed : Progress::kNeedMore;
    }
    if (rest[length] != '\r') return Progress::kMalformed;
    if (start + length + 1 == in_.size()) return Progress::kNeedMore;
    if (in_[start + length + 1] != '\n') return Progress::kMalformed;
    *line = rest.substr(0, length);
    return Progress::kToken;
  }

  static size_t FindNewline(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\r' || text[i] == '\n') return i;
    }
    return text.npos;
  }

  static bool Scalar(std::string_view line, Token* token) {
    switch (token->type) {
      case Type::kInteger: {
        const std::optional<int64_t> value = ParseInteger(line);
        token->integer = value.value_or(0);
        token->text = {};
        return value.has_value();
      }
      case Type::kBoolean:
        token->integer = line == "t";
        token->text = {};
        return line == "t" || line == "f";
      case Type::kNull:
        return line.empty();
      case Type::kDouble:
        return IsDouble(line);
      case Type::kBigNumber:
        return IsBigNumber(line);
      default:
        return true;
    }
  }

  // Blobs and aggregates: `line` is their length, their contents begin at `next`.
  Progress Sized(std::string_view line, size_t next, Token* token) {
    token->text = {};
    const std::optional<int64_t> length = ParseInteger(line);
    if (!length || *length > kMaxLength) return Progress::kMalformed;
    if (*length < 0) {
      const bool null =
          *length == -1 && (token->type == Type::kBulk || token->type == Type::kArray);
      if (!null) return Progress::kMalformed;
      token->type = Type::kNull;
      at_ = next;
      return Progress::kToken;
    }
    const size_t size = static_cast<size_t>(*length);
    if (IsBlob(token->type)) return Blob(size, next, token);
    token->children = token->type == Type::kMap ? 2 * size : size;
    at_ = next;
    return Progress::kToken;
  }

  Progress Blob(size_t size, size_t next, Token* token) {
    if (in_.size() - next < size + 2) return Progress::kNeedMore;
    if (in_[next + size] != '\r' || in_[next + size + 1] != '\n') return Progress::kMalformed;
    token->text = in_.substr(next, size);
    const bool verbatim = token->type == Type::kVerbatim;
    if (verbatim && (size < 4 || token->text[3] != ':')) return Progress::kMalformed;
    at_ = next + size + 2;
    return Progress::kToken;
  }

  const std::string_view in_;
  size_t at_ = 0;
};

// ReplyLength has accepted the input, so every token is there and nesting is bounded.
Reply Build(Tokenizer* tokens) {
  Token token;
  tokens->Next(&token);
  Reply reply{token.type, token.text, token.integer, {}};
  reply.elements.reserve(token.children);
  for (size_t i = 0; i < token.children; ++i) reply.elements.push_back(Build(tokens));
  return reply;
}

}  // namespace

std::optional<size_t> ReplyLength(std::string_view in) {
  Tokenizer tokens(in);
  std::array<size_t, kMaxNesting> left{};  // elements still to come, per open aggregate
  size_t depth = 0;
  for (;;) {
    Token token;
    const Progress progress = tokens.Next(&token);
    if (progress == Progress::kMalformed) return std::nullopt;
    if (progress == Progress::kNeedMore) return 0;
    if (token.children > 0) {
      if (depth == kMaxNesting) return std::nullopt;
      left[depth++] = token.children;
      continue;
    }
    while (depth > 0 && --left[depth - 1] == 0) --depth;
    if (depth == 0) return tokens.position();
  }
}

std::optional<Reply> ReadReply(std::string_view in) {
  const std::optional<size_t> length = ReplyLength(in);
  if (!length || *length == 0) return std::nullopt;
  Tokenizer tokens(in.substr(0, *length));
  return Build(&tokens);
}

}  // namespace kdb::resp

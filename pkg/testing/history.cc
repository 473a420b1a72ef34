#include "pkg/testing/history.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "pkg/base/status.h"

namespace kdb::testing {
namespace {

constexpr std::array<std::string_view, 5> kKinds = {"GET", "SET", "DEL", "INCR", "APPEND"};
constexpr std::string_view kEmpty = "%-";
constexpr std::string_view kNil = "(nil)";

bool HasArgument(OpKind kind) { return kind != OpKind::kGet && kind != OpKind::kDel; }

std::string Escape(std::string_view bytes) {
  if (bytes.empty()) return std::string(kEmpty);
  std::string out;
  for (char c : bytes) {
    if (c > ' ' && c < 127 && c != '%' && c != '#' && c != '(') {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  if (text == kEmpty) return out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 3) return std::nullopt;
    const char* end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr != end) return std::nullopt;
    out.push_back(static_cast<char>(byte));
    i += 2;
  }
  return out;
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = line.find_first_not_of(' ', at)) != line.npos;) {
    size_t end = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

bool ParseTime(std::string_view word, int64_t* time) {
  return std::from_chars(word.data(), word.data() + word.size(), *time).ptr ==
         word.data() + word.size();
}

// Everything but the result; nullopt when the words are no operation.
std::optional<Operation> ParseCall(const std::vector<std::string_view>& words) {
  Operation op;
  if (words.size() < 5 || !ParseTime(words[0], &op.call)) return std::nullopt;
  if (words[1] != "?" && !ParseTime(words[1], &op.ret)) return std::nullopt;
  op.client = words[2];
  size_t kind = 0;
  while (kind < kKinds.size() && kKinds[kind] != words[3]) ++kind;
  if (kind == kKinds.size()) return std::nullopt;
  op.kind = static_cast<OpKind>(kind);
  size_t expected = 5 + (HasArgument(op.kind) ? 1 : 0) + (op.open() ? 0 : 2);
  if (words.size() != expected || (!op.open() && op.ret < op.call)) return std::nullopt;
  std::optional<std::string> key = Unescape(words[4]);
  if (!key.has_value()) return std::nullopt;
  op.key = *std::move(key);
  if (!HasArgument(op.kind)) return op;
  std::optional<std::string> argument = Unescape(words[5]);
  if (!argument.has_value()) return std::nullopt;
  op.argument = *std::move(argument);
  return op;
}

std::optional<Operation> ParseLine(std::string_view line) {
  std::vector<std::string_view> words = Words(line);
  std::optional<Operation> op = ParseCall(words);
  if (!op.has_value() || op->open()) return op;
  if (words[words.size() - 2] != "->") return std::nullopt;
  if (words.back() == kNil) return op;
  op->result = Unescape(words.back());
  return op->result.has_value() ? op : std::nullopt;
}

}  // namespace

absl::StatusOr<std::vector<Operation>> ParseHistory(std::string_view text) {
  std::vector<Operation> history;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(' ') == line.npos) continue;
    std::optional<Operation> op = ParseLine(line);
    if (!op.has_value()) {
      return absl::InvalidArgumentError(fmt::format("line {} is no operation: {}", number, line));
    }
    history.push_back(*std::move(op));
  }
  return history;
}

std::string FormatOperation(const Operation& op) {
  std::string line =
      fmt::format("{} {} {} {} {}", op.call, op.open() ? "?" : std::to_string(op.ret), op.client,
                  kKinds[static_cast<size_t>(op.kind)], Escape(op.key));
  if (HasArgument(op.kind)) line += " " + Escape(op.argument);
  if (!op.open()) line += " -> " + (op.result.has_value() ? Escape(*op.result) : std::string(kNil));
  return line;
}

}  // namespace kdb::testing

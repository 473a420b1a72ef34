#include "pkg/ctl/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <sstream>

#include "pkg/base/status.h"

namespace kdb::ctl {
namespace {

constexpr std::string_view kPrompt = "> ";

absl::StatusOr<std::string> Substitute(std::string line,
                                       const std::map<std::string, std::string>& names) {
  for (size_t at = 0; (at = line.find("${", at)) != std::string::npos;) {
    size_t end = line.find('}', at);
    auto it =
        end == std::string::npos ? names.end() : names.find(line.substr(at + 2, end - at - 2));
    if (it == names.end()) {
      return absl::InvalidArgumentError(fmt::format("unknown name in '{}'", line));
    }
    line.replace(at, end - at + 1, it->second);
    at += it->second.size();
  }
  return line;
}

bool IsInfo(const std::string& command) { return command == "info" || command == "INFO"; }

// The lines of INFO's meta section; the roles are taken out and counted.
std::string MetaSection(const std::string& info, int* leaders) {
  std::string section;
  std::istringstream in(info);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.rfind("meta server:", 0) != 0 && line.rfind("server_id:", 0) != 0) continue;
    if (size_t role = line.find(",Role: "); role != std::string::npos) {
      *leaders += line.substr(role + 7) == "Leader";
      bool known = line.substr(role + 7) == "Leader" || line.substr(role + 7) == "Follower";
      line = line.substr(0, role) + (known ? "" : line.substr(role));
    }
    section += line + "\n";
  }
  return section;
}

// redis-cli's own last line when a command took half a second or more: "(0.76s)".
void StripElapsedTime(std::string* text) {
  size_t line = text->rfind('\n', text->size() >= 2 ? text->size() - 2 : std::string::npos);
  if (line == std::string::npos || !text->ends_with("s)\n") || (*text)[line + 1] != '(') return;
  std::string_view digits(text->data() + line + 2, text->size() - line - 5);
  if (digits.find_first_not_of("0123456789.") == std::string_view::npos) text->resize(line + 1);
}

void StripTrailingBlankLines(std::string* text) {
  while (text->size() >= 2 && text->ends_with("\n\n")) text->pop_back();
}

std::string ShellQuote(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

absl::StatusOr<std::string> RunRedisCli(const std::string& command, int port) {
  // The command comes on standard input, as typed: redis-cli splits and quotes it itself.
  std::string line = fmt::format("printf '%s\\n' {} | redis-cli --no-raw -h 127.0.0.1 -p {} 2>&1",
                                 ShellQuote(command), port);
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(line.c_str(), "r"), pclose);
  if (pipe == nullptr) return absl::UnavailableError("cannot run redis-cli");
  std::string output;
  char buffer[4096];
  for (size_t n; (n = fread(buffer, 1, sizeof(buffer), pipe.get())) > 0;) output.append(buffer, n);
  return output;
}

}  // namespace

absl::StatusOr<std::vector<Exchange>> ParseTranscript(
    std::string_view text, const std::map<std::string, std::string>& names) {
  std::vector<Exchange> transcript;
  std::istringstream in{std::string(text)};
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with('#')) continue;
    absl::StatusOr<std::string> filled = Substitute(line, names);
    if (!filled.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("line {}: {}", number, std::string(filled.status().message())));
    }
    if (filled->starts_with(kPrompt)) {
      transcript.push_back({filled->substr(kPrompt.size()), ""});
    } else if (!transcript.empty()) {
      transcript.back().expected += *filled + "\n";
    } else if (!filled->empty()) {
      return absl::InvalidArgumentError(
          fmt::format("line {}: output before the first command", number));
    }
  }
  for (Exchange& e : transcript) {
    StripTrailingBlankLines(&e.expected);
    if (e.expected == "\n") e.expected.clear();
  }
  return transcript;
}

std::string Compare(const Exchange& exchange, const std::string& actual) {
  std::string want = exchange.expected, got = actual;
  if (IsInfo(exchange.command)) {
    int want_leaders = 0, got_leaders = 0;
    want = MetaSection(exchange.expected, &want_leaders);
    got = MetaSection(actual, &got_leaders);
    if (want == got && got_leaders != 1) {
      return fmt::format("# Meta shows {} leaders, not 1\n", got_leaders);
    }
  }
  StripElapsedTime(&got);
  StripTrailingBlankLines(&got);
  return want == got ? "" : fmt::format("expected:\n{}got:\n{}", want, got);
}

absl::Status PlayTranscript(const std::vector<Exchange>& transcript, int port) {
  if (std::system("command -v redis-cli >/dev/null 2>&1") != 0) {
    return absl::UnavailableError("redis-cli is missing: install Debian's package redis-tools");
  }
  int mismatches = 0;
  for (const Exchange& exchange : transcript) {
    fmt::print("{}{}\n", kPrompt, exchange.command);
    std::fflush(stdout);
    KDB_ASSIGN_OR_RETURN(std::string output, RunRedisCli(exchange.command, port));
    fmt::print("{}", output);
    if (std::string difference = Compare(exchange, output); !difference.empty()) {
      ++mismatches;
      fmt::print("MISMATCH at '{}': {}", exchange.command, difference);
    }
    std::fflush(stdout);
  }
  if (mismatches == 0) return absl::OkStatus();
  return absl::InternalError(
      fmt::format("{} of {} commands printed something else", mismatches, transcript.size()));
}

}  // namespace kdb::ctl

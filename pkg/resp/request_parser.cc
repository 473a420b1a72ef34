#include "pkg/resp/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "pkg/resp/inline_args.h"
#include "pkg/resp/integer.h"

namespace kdb::resp {
namespace {

// What a parser keeps from one request to the next.
constexpr size_t kKeptArguments = 64;
constexpr size_t kKeptUnquotedBytes = 1024;
constexpr int64_t kMaxArgumentsBeforeAuth = 10;
constexpr int64_t kMaxBulkBeforeAuth = 16 << 10;

template <typename T>
void ClearAndShrink(std::vector<T>* v) {
  if (v->capacity() > kKeptArguments) {
    std::vector<T>().swap(*v);
  } else {
    v->clear();
  }
}

// ParseInteger for the short, plain numbers of nearly every header; -1 when it is not one of those.
int64_t ParseShortCount(std::string_view digits) {
  if (digits.empty() || digits.size() > 9 || (digits[0] == '0' && digits.size() > 1)) return -1;
  int64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<int64_t> ParseCount(std::string_view digits) {
  const int64_t value = ParseShortCount(digits);
  return value >= 0 ? value : ParseInteger(digits);
}

}  // namespace

RequestParser::RequestParser(const RequestLimits& limits) : limits_(limits) {}

RequestParser::Outcome RequestParser::Parse(std::string_view input) {
  if (!error_.empty()) return Outcome::kError;
  if (!started_) StartRequest();
  if (input.empty()) return NeedMore(0);
  return input[0] == '*' ? ParseMultiBulk(input) : ParseInline(input);
}

void RequestParser::StartRequest() {
  started_ = true;
  ClearAndShrink(&args_);
  ClearAndShrink(&spans_);
  if (unquoted_.capacity() > kKeptUnquotedBytes) std::string().swap(unquoted_);
  consumed_ = position_ = scanned_ = 0;
  arguments_left_ = bulk_bytes_ = -1;
}

RequestParser::Outcome RequestParser::ParseInline(std::string_view input) {
  // The newline may be the byte behind the limit, as in Redis.
  const std::string_view window = input.substr(0, limits_.max_inline_bytes + 1);
  const size_t newline = window.find('\n', scanned_);
  if (newline == window.npos) {
    if (input.size() > limits_.max_inline_bytes) {
      return FailRequest("Protocol error: too big inline request");
    }
    scanned_ = input.size();
    return NeedMore(0);
  }
  std::string_view line = input.substr(0, newline);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!SplitInline(line, &unquoted_, &args_)) {
    return FailRequest("Protocol error: unbalanced quotes in request");
  }
  consumed_ = newline + 1;
  started_ = false;
  return Outcome::kRequest;
}

RequestParser::Outcome RequestParser::ParseMultiBulk(std::string_view input) {
  if (arguments_left_ < 0) {
    const Step step = ReadArgumentCount(input);
    if (step != Step::kDone) return step == Step::kFailed ? Outcome::kError : NeedMore(0);
  }
  for (; arguments_left_ > 0; --arguments_left_) {
    if (bulk_bytes_ < 0) {
      const Step step = ReadBulkLength(input);
      if (step != Step::kDone) return step == Step::kFailed ? Outcome::kError : NeedMore(0);
    }
    const size_t size = static_cast<size_t>(bulk_bytes_);
    const size_t end = position_ + size + 2;
    if (input.size() < end) return NeedMore(end);
    spans_.push_back({position_, size});
    position_ = scanned_ = end;
    bulk_bytes_ = -1;
  }
  return FinishMultiBulk(input);
}

RequestParser::Step RequestParser::ReadArgumentCount(std::string_view input) {
  std::string_view line;
  size_t next;
  const Step step = ReadLine(input, "Protocol error: too big mbulk count string", &line, &next);
  if (step != Step::kDone) return step;
  const std::optional<int64_t> count = ParseCount(line.substr(1));
  if (!count || (*count > 0 && static_cast<uint64_t>(*count) > limits_.max_arguments)) {
    return Fail("Protocol error: invalid multibulk length");
  }
  if (!authenticated_ && *count > kMaxArgumentsBeforeAuth) {
    return Fail("Protocol error: unauthenticated multibulk length");
  }
  arguments_left_ = *count > 0 ? *count : 0;
  position_ = scanned_ = next;
  return Step::kDone;
}

RequestParser::Step RequestParser::ReadBulkLength(std::string_view input) {
  std::string_view line;
  size_t next;
  const Step step = ReadLine(input, "Protocol error: too big bulk count string", &line, &next);
  if (step != Step::kDone) return step;
  const char kind = input[position_];
  if (kind != '$') return Fail(fmt::format("Protocol error: expected '$', got '{}'", kind));
  const std::optional<int64_t> length = ParseCount(line.substr(1));
  if (!length || *length < 0 || static_cast<uint64_t>(*length) > limits_.max_bulk_bytes) {
    return Fail("Protocol error: invalid bulk length");
  }
  if (!authenticated_ && *length > kMaxBulkBeforeAuth) {
    return Fail("Protocol error: unauthenticated bulk length");
  }
  const size_t size = static_cast<size_t>(*length);
  if (next + 2 > limits_.max_request_bytes || size > limits_.max_request_bytes - next - 2) {
    return Fail("Protocol error: too big request");
  }
  bulk_bytes_ = *length;
  position_ = scanned_ = next;
  return Step::kDone;
}

RequestParser::Step RequestParser::ReadLine(std::string_view input, const char* too_long,
                                            std::string_view* line, size_t* next) {
  // Headers are a few bytes: a plain loop finds their CR sooner than memchr would begin.
  const size_t limit = std::min(input.size(), position_ + limits_.max_inline_bytes + 1);
  size_t end = scanned_;
  while (end < limit && input[end] != '\r') ++end;
  scanned_ = end;
  if (end == limit) {
    return input.size() - position_ > limits_.max_inline_bytes ? Fail(too_long) : Step::kNeedMore;
  }
  if (end + 1 == input.size()) return Step::kNeedMore;
  *line = input.substr(position_, end - position_);
  *next = end + 2;
  return Step::kDone;
}

RequestParser::Outcome RequestParser::FinishMultiBulk(std::string_view input) {
  args_.resize(spans_.size());
  for (size_t i = 0; i < spans_.size(); ++i) {
    args_[i] = {input.data() + spans_[i].offset, spans_[i].size};
  }
  ClearAndShrink(&spans_);
  consumed_ = position_;
  bytes_wanted_ = 0;
  started_ = false;
  return Outcome::kRequest;
}

RequestParser::Outcome RequestParser::NeedMore(size_t bytes_wanted) {
  bytes_wanted_ = bytes_wanted;
  return Outcome::kNeedMore;
}

RequestParser::Step RequestParser::Fail(std::string_view message) {
  FailRequest(message);
  return Step::kFailed;
}

RequestParser::Outcome RequestParser::FailRequest(std::string_view message) {
  error_ = fmt::format("ERR {}", message);
  bytes_wanted_ = 0;
  return Outcome::kError;
}

}  // namespace kdb::resp

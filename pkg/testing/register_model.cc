#include "pkg/testing/register_model.h"

#include <fmt/format.h>

#include <charconv>

namespace kdb::testing {
namespace {

std::optional<int64_t> ParseInteger(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

bool Returned(const Operation& op, const std::string& result) {
  return op.open() || op.result == result;
}

}  // namespace

RegisterModel::State RegisterModel::Number(std::string value) {
  auto [at, is_new] = numbers_.try_emplace(std::move(value), static_cast<State>(values_.size()));
  if (is_new) values_.push_back(at->first);
  return at->second;
}

std::optional<RegisterModel::State> RegisterModel::Step(const Operation& op, State state) {
  switch (op.kind) {
    case OpKind::kGet: {
      if (op.open()) return state;
      bool same = state == kAbsent ? !op.result.has_value() : op.result == values_[state];
      return same ? std::optional(state) : std::nullopt;
    }
    case OpKind::kSet:
      if (!Returned(op, "OK")) return std::nullopt;
      return Number(op.argument);
    case OpKind::kDel:
      if (!Returned(op, state == kAbsent ? "0" : "1")) return std::nullopt;
      return kAbsent;
    case OpKind::kIncr:
      return Incr(op, state);
    case OpKind::kAppend: {
      std::string value = state == kAbsent ? op.argument : values_[state] + op.argument;
      if (!Returned(op, std::to_string(value.size()))) return std::nullopt;
      return Number(std::move(value));
    }
  }
  return std::nullopt;
}

std::optional<RegisterModel::State> RegisterModel::Incr(const Operation& op, State state) {
  std::optional<int64_t> old = state == kAbsent ? 0 : ParseInteger(values_[state]);
  std::optional<int64_t> delta = ParseInteger(op.argument);
  int64_t sum = 0;
  if (!old.has_value() || !delta.has_value() || __builtin_add_overflow(*old, *delta, &sum)) {
    return std::nullopt;
  }
  std::string value = std::to_string(sum);
  if (!Returned(op, value)) return std::nullopt;
  return Number(std::move(value));
}

std::string RegisterModel::Describe(State state) const {
  constexpr size_t kShown = 80;
  if (state == kAbsent) return "(nil)";
  const std::string& value = values_[state];
  if (value.size() <= kShown) return fmt::format("\"{}\"", value);
  return fmt::format("{} bytes ending in \"{}\"", value.size(),
                     value.substr(value.size() - kShown / 2));
}

}  // namespace kdb::testing

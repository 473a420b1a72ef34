#include "pkg/testing/sim/op_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace kdb::sim {
namespace {

constexpr size_t kShownBytes = 100;

// A reply as a trace shows it: on one line, not too long.
std::string Shown(std::string_view reply) {
  std::string out;
  for (char c : reply.substr(0, kShownBytes)) {
    if (c == '\n') out.push_back(' ');
    if (c != '\r' && c != '\n') out.push_back(c);
  }
  return reply.size() > kShownBytes ? out + "..." : out;
}

std::optional<std::string> Value(const resp::Reply& reply) {
  switch (reply.type) {
    case resp::Reply::Type::kNull:
      return std::nullopt;
    case resp::Reply::Type::kInteger:
      return std::to_string(reply.integer);
    default:
      return std::string(reply.text);
  }
}

}  // namespace

size_t OpLog::Begin(std::string client, std::vector<std::string> args) {
  world_.trace.Note(client, "#{} {}", calls_.size(), fmt::join(args, " "));
  calls_.push_back(
      {.client = std::move(client), .args = std::move(args), .call = world_.loop.Now().count()});
  return calls_.size() - 1;
}

Outcome OpLog::Answer(size_t number, std::string_view reply) {
  Call& call = calls_[number];
  world_.trace.Note(call.client, "#{} -> {}", number, Shown(reply));
  if (std::exchange(call.answered, true)) {
    world_.Problem(fmt::format("call #{} was answered twice", number));
    return call.outcome;
  }
  std::optional<resp::Reply> decoded = resp::ReadReply(reply);
  if (!decoded.has_value()) {
    world_.Problem(fmt::format("call #{}: no reply: {}", number, Shown(reply)));
  } else {
    Decode(call, *decoded);
  }
  return call.outcome;
}

void OpLog::Decode(Call& call, const resp::Reply& reply) {
  if (reply.type == resp::Reply::Type::kError) {
    if (reply.text.starts_with("UNKNOWN ")) return;
    if (reply.text.starts_with("TIMEOUT ")) {
      call.outcome = Outcome::kNothing;
      return;
    }
    return world_.Problem(fmt::format("{} got {}", fmt::join(call.args, " "), reply.text));
  }
  call.outcome = Outcome::kDone;
  call.ret = world_.loop.Now().count();
  if (reply.type != resp::Reply::Type::kArray) {
    call.results.push_back(Value(reply));
    return;
  }
  for (const resp::Reply& element : reply.elements) call.results.push_back(Value(element));
}

}  // namespace kdb::sim

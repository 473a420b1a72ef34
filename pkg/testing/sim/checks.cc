#include "pkg/testing/sim/checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "pkg/testing/linearizability.h"

namespace kdb::sim {
namespace {

using testing::Operation;
using testing::OpKind;

const std::string& KeyOf(const Call& call) { return call.args[1]; }
bool IsOf(const Call& call, char kind) { return KeyOf(call)[0] == kind; }

// One operation of the checker's model for each key of a call.
void AddOperations(const Call& call, std::vector<Operation>& history) {
  auto add = [&](OpKind kind, const std::string& key, std::string argument, size_t result) {
    Operation op{.key = key,
                 .kind = kind,
                 .argument = std::move(argument),
                 .call = call.call,
                 .ret = call.ret,
                 .client = call.client};
    if (call.outcome == Outcome::kDone) op.result = call.results[result];
    history.push_back(std::move(op));
  };
  const std::string& name = call.args[0];
  if (name == "get") add(OpKind::kGet, KeyOf(call), "", 0);
  if (name == "set") add(OpKind::kSet, KeyOf(call), call.args[2], 0);
  if (name == "del") add(OpKind::kDel, KeyOf(call), "", 0);
  if (name == "incr") add(OpKind::kIncr, KeyOf(call), "1", 0);
  if (name == "incrby") add(OpKind::kIncr, KeyOf(call), call.args[2], 0);
  if (name == "append") add(OpKind::kAppend, KeyOf(call), call.args[2], 0);
  for (size_t i = 1; name == "mget" && i < call.args.size(); ++i) {
    add(OpKind::kGet, call.args[i], "", i - 1);
  }
  for (size_t i = 1; name == "mset" && i + 1 < call.args.size(); i += 2) {
    add(OpKind::kSet, call.args[i], call.args[i + 1], 0);
  }
}

void CheckHistory(const std::vector<Call>& calls, World& world) {
  std::vector<Operation> history;
  for (const Call& call : calls) {
    // Time is not part of the checker's model.
    if (call.outcome == Outcome::kNothing || IsOf(call, 't')) continue;
    AddOperations(call, history);
  }
  testing::CheckReport report = testing::CheckLinearizable(history);
  for (const std::string& problem : report.problems) world.Problem(problem);
}

// The last value read of each key of `kind`.
std::map<std::string, std::string> LastValues(const std::vector<Call>& calls, char kind) {
  std::map<std::string, std::string> values;
  for (const Call& call : calls) {
    if (!IsOf(call, kind) || call.args[0] != "get" || call.outcome != Outcome::kDone) continue;
    values[KeyOf(call)] = call.results[0].value_or("");
  }
  return values;
}

void CheckCounters(const std::vector<Call>& calls, World& world) {
  std::map<std::string, std::pair<int64_t, int64_t>> bounds;  // acknowledged, and with those open
  for (const Call& call : calls) {
    if (!IsOf(call, 'c') || call.args[0] != "incr" || call.outcome == Outcome::kNothing) continue;
    auto& [least, most] = bounds[KeyOf(call)];
    ++most;
    if (call.outcome == Outcome::kDone) ++least;
  }
  std::map<std::string, std::string> values = LastValues(calls, 'c');
  for (const auto& [key, bound] : bounds) {
    const std::string& text = values[key];
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    if (value >= bound.first && value <= bound.second) continue;
    world.Problem(
        fmt::format("counter {} is {}, not in [{}, {}]", key, value, bound.first, bound.second));
  }
}

size_t Occurrences(const std::string& text, const std::string& word) {
  size_t n = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++n;
  return n;
}

void CheckLogs(const std::vector<Call>& calls, World& world) {
  std::map<std::string, std::string> values = LastValues(calls, 'a');
  for (const Call& call : calls) {
    if (!IsOf(call, 'a') || call.args[0] != "append") continue;
    size_t least = call.outcome == Outcome::kDone ? 1 : 0;
    size_t most = call.outcome == Outcome::kNothing ? 0 : 1;
    size_t n = Occurrences(values[KeyOf(call)], call.args[2]);
    if (n >= least && n <= most) continue;
    world.Problem(fmt::format("log {} has {} {} times, not {} to {}", KeyOf(call), call.args[2], n,
                              least, most));
  }
}

void CheckPairs(const std::vector<Call>& calls, World& world) {
  for (const Call& call : calls) {
    if (!IsOf(call, 'p') || call.args[0] != "mget" || call.outcome != Outcome::kDone) continue;
    if (call.results[0] == call.results[1]) continue;
    world.Problem(fmt::format("{} saw half of an MSET: {} and {}", fmt::join(call.args, " "),
                              call.results[0].value_or("(nil)"),
                              call.results[1].value_or("(nil)")));
  }
}

void CheckExpired(const std::vector<Call>& calls, World& world) {
  for (const Call& set : calls) {
    if (!IsOf(set, 't') || set.args[0] != "set" || set.outcome != Outcome::kDone) continue;
    // From the first read on that came after it and saw nothing, it is gone.
    int64_t gone = Operation::kOpen;
    auto is_read = [&](const Call& c) {
      return c.outcome == Outcome::kDone && c.args[0] == "get" && KeyOf(c) == KeyOf(set) &&
             c.call >= set.ret;
    };
    for (const Call& get : calls) {
      if (is_read(get) && !get.results[0].has_value()) gone = std::min(gone, get.ret);
    }
    for (const Call& get : calls) {
      if (!is_read(get) || get.call <= gone || get.results[0] != set.args[2]) continue;
      world.Problem(
          fmt::format("{} of {} came back after it had expired", set.args[2], KeyOf(set)));
    }
  }
}

}  // namespace

void CheckCalls(const std::vector<Call>& calls, World& world) {
  CheckHistory(calls, world);
  CheckPairs(calls, world);
  CheckExpired(calls, world);
}

void CheckAccounts(const std::vector<Call>& calls, World& world) {
  CheckCounters(calls, world);
  CheckLogs(calls, world);
}

}  // namespace kdb::sim

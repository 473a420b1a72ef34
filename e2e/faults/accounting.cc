#include "e2e/faults/accounting.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace kdb::e2e {
namespace {

using testing::Operation;
using testing::OpKind;
using Ops = std::vector<const Operation*>;

bool OnlyWrites(const Ops& ops, OpKind kind) {
  return std::all_of(ops.begin(), ops.end(), [kind](const Operation* op) {
    return op->kind == kind || op->kind == OpKind::kGet;
  });
}

// The last read after all acknowledged writes; null when there is none.
const Operation* LastRead(const Ops& ops) {
  int64_t written = 0;
  const Operation* last = nullptr;
  for (const Operation* op : ops) {
    if (op->open()) continue;
    if (op->kind != OpKind::kGet) {
      written = std::max(written, op->ret);
    } else if (last == nullptr || op->call > last->call) {
      last = op;
    }
  }
  return last != nullptr && last->call >= written ? last : nullptr;
}

void CheckCounter(const Ops& ops, const Operation& last, Accounts* accounts) {
  ++accounts->counters;
  int64_t acknowledged = 0;
  int64_t unknown = 0;
  for (const Operation* op : ops) {
    if (op->kind == OpKind::kIncr) ++(op->open() ? unknown : acknowledged);
  }
  int64_t value = std::atoll(last.result.value_or("0").c_str());
  if (value >= acknowledged && value <= acknowledged + unknown) return;
  if (value < acknowledged) ++accounts->lost;
  accounts->problems.push_back(
      fmt::format("counter {} is {}: {} increments were acknowledged, {} are unknown", last.key,
                  value, acknowledged, unknown));
}

std::vector<std::string> Tokens(const std::string& list) {
  std::vector<std::string> tokens;
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find(',', at), list.size() - 1) + 1;
    tokens.push_back(list.substr(at, end - at));
    at = end;
  }
  return tokens;
}

void CheckList(const Ops& ops, const Operation& last, Accounts* accounts) {
  ++accounts->lists;
  std::set<std::string> sent, acknowledged;
  for (const Operation* op : ops) {
    if (op->kind != OpKind::kAppend) continue;
    sent.insert(op->argument);
    if (!op->open()) acknowledged.insert(op->argument);
  }
  auto report = [&](const Operation& read, std::string_view token, std::string_view what) {
    accounts->problems.push_back(
        fmt::format("{} {} {}: {}", read.key, what, token, testing::FormatOperation(read)));
  };
  for (const Operation* op : ops) {
    if (op->kind != OpKind::kGet || op->open()) continue;
    std::set<std::string> seen;
    for (const std::string& token : Tokens(op->result.value_or(""))) {
      if (!seen.insert(token).second) return report(*op, token, "has twice");
      if (!sent.contains(token))
        return report(*op, token, "has what was never sent or was refused,");
    }
    if (op != &last) continue;
    for (const std::string& token : acknowledged) {
      if (seen.contains(token)) continue;
      ++accounts->lost;
      return report(*op, token, "lost the acknowledged");
    }
  }
}

void CheckKey(const Ops& ops, Accounts* accounts) {
  bool has_write = std::any_of(ops.begin(), ops.end(),
                               [](const Operation* op) { return op->kind != OpKind::kGet; });
  if (!has_write) return;
  const Operation* last = LastRead(ops);
  if (last == nullptr) {
    ++accounts->unread;
    accounts->problems.push_back(
        fmt::format("{} was not read after its last acknowledged write", ops.front()->key));
    return;
  }
  if (OnlyWrites(ops, OpKind::kIncr)) CheckCounter(ops, *last, accounts);
  if (OnlyWrites(ops, OpKind::kAppend)) CheckList(ops, *last, accounts);
}

}  // namespace

Accounts TakeAccounts(const std::vector<Operation>& history) {
  std::map<std::string_view, Ops> by_key;
  Accounts accounts;
  for (const Operation& op : history) {
    by_key[op.key].push_back(&op);
    if (op.kind == OpKind::kGet) {
      if (!op.open()) ++accounts.reads;
    } else {
      ++(op.open() ? accounts.unknown : accounts.acknowledged);
    }
  }
  for (const auto& [key, ops] : by_key) CheckKey(ops, &accounts);
  return accounts;
}

}  // namespace kdb::e2e

// CONFIG: the parameters that clients and tools ask for, and those of them that may change at run
// time.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pkg/proxy/local_command.h"
#include "pkg/redis/command_docs.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

// `set` is nullptr where a change needs a restart or another place (the password file, flags).
struct Parameter {
  std::string_view name;
  std::string (*get)(const ProxyContext& proxy);
  // The reason why the value will not do, or empty.
  std::string (*set)(const ProxyContext& proxy, std::string_view value) = nullptr;
};

template <const char* kValue>
std::string Fixed(const ProxyContext&) {
  return kValue;
}

constexpr char kEmpty[] = "";
constexpr char kZero[] = "0";
constexpr char kOne[] = "1";
constexpr char kYes[] = "yes";
constexpr char kAlways[] = "always";
constexpr char kNoEviction[] = "noeviction";

std::string Port(const ProxyContext& proxy) { return std::to_string(proxy.info.port); }
std::string MaxClients(const ProxyContext& proxy) {
  return std::to_string(proxy.info.max_clients.load());
}
std::string MaxBulk(const ProxyContext& proxy) { return std::to_string(proxy.info.max_bulk_bytes); }

std::string SetMaxClients(const ProxyContext& proxy, std::string_view value) {
  std::optional<int64_t> n = redis::ParseInteger(value);
  if (!n.has_value()) return "argument couldn't be parsed into an integer";
  if (*n < 1 || *n > UINT32_MAX) return "argument must be between 1 and 4294967295 inclusive";
  proxy.info.max_clients.store(static_cast<size_t>(*n));
  return {};
}

// By name. Values that tools expect are what ERaftKDB is like: everything is logged and synced,
// nothing is evicted.
constexpr Parameter kParameters[] = {
    {"appendfsync", Fixed<kAlways>},
    {"appendonly", Fixed<kYes>},
    {"databases", Fixed<kOne>},
    {"maxclients", MaxClients, SetMaxClients},
    {"maxmemory", Fixed<kZero>},
    {"maxmemory-policy", Fixed<kNoEviction>},
    {"port", Port},
    {"proto-max-bulk-len", MaxBulk},
    {"save", Fixed<kEmpty>},
    {"timeout", Fixed<kZero>},
};

const Parameter* Find(std::string_view name) {
  auto it =
      std::find_if(std::begin(kParameters), std::end(kParameters),
                   [name](const Parameter& p) { return redis::EqualsIgnoreCase(p.name, name); });
  return it == std::end(kParameters) ? nullptr : it;
}

void Get(LocalCall& call) {
  std::vector<const Parameter*> found;
  for (const Parameter& p : kParameters) {
    for (std::string_view pattern : call.args.subspan(2)) {
      if (!redis::GlobMatch(redis::ToLower(pattern), p.name)) continue;
      found.push_back(&p);
      break;
    }
  }
  call.reply.Map(found.size());
  for (const Parameter* p : found) {
    call.reply.Bulk(p->name);
    call.reply.Bulk(p->get(call.proxy));
  }
}

std::string Failure(std::string_view name, std::string_view why) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name, why);
}

struct Change {
  const Parameter* parameter;
  std::string_view value;
};

// The error's text, or empty. `args` are names and values in turn.
std::string ParseChanges(std::span<const std::string_view> args, std::vector<Change>* changes) {
  for (size_t i = 0; i < args.size(); i += 2) {
    const Parameter* p = Find(args[i]);
    if (p == nullptr) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'",
                         args[i]);
    }
    if (p->set == nullptr) return Failure(args[i], "can't set immutable config");
    bool repeated = std::any_of(changes->begin(), changes->end(),
                                [p](const Change& c) { return c.parameter == p; });
    if (repeated) return Failure(args[i], "duplicate parameter");
    changes->push_back({p, args[i + 1]});
  }
  return {};
}

// As in Redis 7, every name is checked before anything changes.
void Set(LocalCall& call) {
  std::span<const std::string_view> args = call.args.subspan(2);
  if (args.size() % 2 != 0) return call.reply.Error("ERR syntax error");
  std::vector<Change> changes;
  if (std::string error = ParseChanges(args, &changes); !error.empty())
    return call.reply.Error(error);
  for (const Change& change : changes) {
    std::string why = change.parameter->set(call.proxy, change.value);
    if (!why.empty()) return call.reply.Error(Failure(change.parameter->name, why));
  }
  call.reply.Ok();
}

void ResetStat(LocalCall& call) {
  const ProxyInfo& info = call.proxy.info;
  for (auto* counter : {&info.connections_received, &info.connections_rejected,
                        &info.commands_processed, &info.input_bytes, &info.output_bytes}) {
    counter->store(0);
  }
  call.usage.Reset();
  call.reply.Ok();
}

void Help(LocalCall& call) { redis::AppendHelp(*redis::FindCommand("config"), call.reply); }

constexpr LocalRow kRows[] = {
    {"config|get", Get},
    {"config|help", Help},
    {"config|resetstat", ResetStat},
    {"config|set", Set},
};

}  // namespace

std::span<const LocalRow> ConfigRows() { return kRows; }

}  // namespace kdb::proxy

// CLIENT and its subcommands.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pkg/proxy/local_command.h"
#include "pkg/redis/command_docs.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

int64_t Seconds(Clock::Duration d) {
  return std::chrono::duration_cast<std::chrono::seconds>(d).count();
}

// As Redis 7.2 writes them.
std::string Flags(const ClientInfo& c) {
  std::string flags;
  if (c.no_evict) flags += 'e';
  if (c.no_touch) flags += 'T';
  return flags.empty() ? "N" : flags;
}

// A line of CLIENT LIST, with Redis 7.0's fields. What a proxy has no notion of is 0, as in a Redis
// where it is unused.
std::string Describe(const ClientInfo& c, Clock::Duration now) {
  return fmt::format(
      "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db=0 sub=0 psub=0 ssub=0 "
      "multi=-1 qbuf={} "
      "qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r "
      "cmd={} "
      "user=default redir=-1 resp={} lib-name={} lib-ver={}",
      c.id, c.address, c.local_address, c.fd, c.name, Seconds(now - c.since),
      Seconds(now - c.last_command_at), Flags(c), c.input_bytes, c.output_bytes,
      c.input_bytes + c.output_bytes, c.last_command, static_cast<int>(c.version), c.lib_name,
      c.lib_version);
}

bool Printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

void Id(LocalCall& call) { call.reply.Integer(static_cast<int64_t>(call.client.id)); }

void GetName(LocalCall& call) {
  if (call.client.name.empty()) return call.reply.Null();
  call.reply.Bulk(call.client.name);
}

void SetName(LocalCall& call) {
  if (!Printable(call.args[2])) {
    return call.reply.Error(
        "ERR Client names cannot contain spaces, newlines or special characters.");
  }
  call.client.name = call.args[2];
  call.reply.Ok();
}

void SetInfo(LocalCall& call) {
  std::string_view option = call.args[2];
  bool is_name = redis::EqualsIgnoreCase(option, "lib-name");
  if (!is_name && !redis::EqualsIgnoreCase(option, "lib-ver")) {
    return call.reply.Error(fmt::format("ERR Unrecognized option '{}'", option));
  }
  if (!Printable(call.args[3])) {
    return call.reply.Error(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.", option));
  }
  (is_name ? call.client.lib_name : call.client.lib_version) = call.args[3];
  call.reply.Ok();
}

void Info(LocalCall& call) {
  std::string line = Describe(call.client, call.proxy.clock.Monotonic());
  call.reply.Verbatim("txt", line + "\n");
}

struct ListFilter {
  std::optional<std::vector<int64_t>> ids;
  bool nobody = false;  // a type of client that a proxy does not have
};

// The error's text, or empty.
std::string ParseListFilter(std::span<const std::string_view> args, ListFilter* filter) {
  if (args.size() == 2) return {};
  if (redis::EqualsIgnoreCase(args[2], "type") && args.size() == 4) {
    std::string type = redis::ToLower(args[3]);
    if (type != "normal" && type != "master" && type != "replica" && type != "slave" &&
        type != "pubsub") {
      return fmt::format("ERR Unknown client type '{}'", args[3].substr(0, args[3].find('\0')));
    }
    filter->nobody = type != "normal";
    return {};
  }
  if (!redis::EqualsIgnoreCase(args[2], "id") || args.size() < 4) return "ERR syntax error";
  filter->ids.emplace();
  for (std::string_view arg : args.subspan(3)) {
    std::optional<int64_t> id = redis::ParseInteger(arg);
    if (!id.has_value()) return "ERR Invalid client ID";
    filter->ids->push_back(*id);
  }
  return {};
}

void List(LocalCall& call) {
  ListFilter filter;
  if (std::string error = ParseListFilter(call.args, &filter); !error.empty())
    return call.reply.Error(error);
  call.proxy.clients.List([filter = std::move(filter), version = call.client.version,
                           &clock = call.proxy.clock,
                           done = call.Later()](const std::vector<ClientInfo>& clients) mutable {
    std::string text;
    Clock::Duration now = clock.Monotonic();
    for (const ClientInfo& c : clients) {
      bool listed =
          !filter.nobody &&
          (!filter.ids.has_value() || std::count(filter.ids->begin(), filter.ids->end(), c.id) > 0);
      if (listed) text += Describe(c, now) + "\n";
    }
    std::string out;
    resp::ReplyWriter(version, out).Verbatim("txt", text);
    done(std::move(out));
  });
}

void Reply(LocalCall& call) {
  std::string mode = redis::ToLower(call.args[2]);
  if (mode == "on") {
    call.client.reply_mode = ReplyMode::kOn;
    return call.reply.Ok();
  }
  if (mode == "off") {
    call.client.reply_mode = ReplyMode::kOff;
  } else if (mode == "skip") {
    if (call.client.reply_mode != ReplyMode::kOff) call.client.reply_mode = ReplyMode::kSkipNext;
  } else {
    return call.reply.Error("ERR syntax error");
  }
  call.reply.Ok();  // not sent: the new mode holds for this command too
}

void SetSwitch(LocalCall& call, bool* value) {
  std::string mode = redis::ToLower(call.args[2]);
  if (mode != "on" && mode != "off") return call.reply.Error("ERR syntax error");
  *value = mode == "on";
  call.reply.Ok();
}

void NoEvict(LocalCall& call) { SetSwitch(call, &call.client.no_evict); }
void NoTouch(LocalCall& call) { SetSwitch(call, &call.client.no_touch); }
void Help(LocalCall& call) { redis::AppendHelp(*redis::FindCommand("client"), call.reply); }

constexpr LocalRow kRows[] = {
    {"client|getname", GetName},  {"client|help", Help},   {"client|id", Id},
    {"client|info", Info},        {"client|list", List},   {"client|no-evict", NoEvict},
    {"client|no-touch", NoTouch}, {"client|reply", Reply}, {"client|setinfo", SetInfo},
    {"client|setname", SetName},
};

}  // namespace

std::span<const LocalRow> ClientRows() { return kRows; }

}  // namespace kdb::proxy

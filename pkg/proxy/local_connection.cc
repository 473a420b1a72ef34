// Commands about the connection itself: PING ECHO QUIT RESET HELLO AUTH SELECT.
#include <fmt/format.h>

#include <cstdint>
#include <optional>

#include "pkg/proxy/local_command.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

constexpr char kWrongPass[] = "WRONGPASS invalid username-password pair or user is disabled.";

void Ping(LocalCall& call) {
  if (call.args.size() > 2) {
    return call.reply.Error("ERR wrong number of arguments for 'ping' command");
  }
  if (call.args.size() == 2) return call.reply.Bulk(call.args[1]);
  call.reply.Simple("PONG");
}

void Echo(LocalCall& call) { call.reply.Bulk(call.args[1]); }

void Quit(LocalCall& call) {
  call.reply.Ok();
  call.CloseAfterReply();
}

void Reset(LocalCall& call) {
  ClientInfo& client = call.client;
  client.version = resp::Version::kResp2;
  client.name.clear();
  client.authenticated = !call.proxy.passwords.required();
  client.reply_mode = ReplyMode::kOn;
  client.no_evict = false;
  client.no_touch = false;
  call.reply.Simple("RESET");
}

void Select(LocalCall& call) {
  std::optional<int64_t> index = redis::ParseInteger(call.args[1]);
  if (!index.has_value()) return call.reply.Error("ERR value is not an integer or out of range");
  if (*index < INT32_MIN || *index > INT32_MAX) {
    return call.reply.Error(
        "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index != 0) return call.reply.Error("ERR DB index is out of range");
  call.reply.Ok();
}

bool Authenticate(LocalCall& call, std::string_view user, std::string_view password) {
  bool valid = user == "default" &&
               (!call.proxy.passwords.required() || call.proxy.passwords.Accepts(password));
  if (valid) call.client.authenticated = true;
  return valid;
}

void Auth(LocalCall& call) {
  if (call.args.size() > 3) return call.reply.Error("ERR syntax error");
  bool with_user = call.args.size() == 3;
  if (!with_user && !call.proxy.passwords.required()) {
    return call.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are "
        "you sure your configuration is correct?");
  }
  std::string_view user = with_user ? call.args[1] : "default";
  if (!Authenticate(call, user, call.args.back())) return call.reply.Error(kWrongPass);
  call.reply.Ok();
}

bool ValidName(std::string_view name) {
  for (char c : name) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

// The error's text, or empty. Options take effect one by one, as in Redis: an error leaves what
// came before it.
std::string ApplyHelloOptions(LocalCall& call) {
  std::span<const std::string_view> args = call.args;
  for (size_t i = 2; i < args.size(); ++i) {
    size_t more = args.size() - 1 - i;
    if (redis::EqualsIgnoreCase(args[i], "AUTH") && more >= 2) {
      if (!Authenticate(call, args[i + 1], args[i + 2])) return kWrongPass;
      i += 2;
    } else if (redis::EqualsIgnoreCase(args[i], "SETNAME") && more >= 1) {
      if (!ValidName(args[++i])) {
        return "ERR Client names cannot contain spaces, newlines or special characters.";
      }
      call.client.name = args[i];
    } else {
      // As Redis prints it, a C string.
      return fmt::format("ERR Syntax error in HELLO option '{}'",
                         args[i].substr(0, args[i].find('\0')));
    }
  }
  return {};
}

void DescribeServer(LocalCall& call) {
  resp::ReplyWriter reply = call.Writer();
  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(static_cast<int64_t>(call.client.version));
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(call.client.id));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
}

void Hello(LocalCall& call) {
  resp::Version version = call.client.version;
  if (call.args.size() > 1) {
    std::optional<int64_t> number = redis::ParseInteger(call.args[1]);
    if (!number.has_value())
      return call.reply.Error("ERR Protocol version is not an integer or out of range");
    if (*number != 2 && *number != 3)
      return call.reply.Error("NOPROTO unsupported protocol version");
    version = *number == 2 ? resp::Version::kResp2 : resp::Version::kResp3;
  }
  if (std::string error = ApplyHelloOptions(call); !error.empty()) return call.reply.Error(error);
  if (!call.client.authenticated) {
    return call.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  call.client.version = version;
  DescribeServer(call);
}

constexpr LocalRow kRows[] = {
    {"auth", Auth}, {"echo", Echo},   {"hello", Hello},   {"ping", Ping},
    {"quit", Quit}, {"reset", Reset}, {"select", Select},
};

}  // namespace

std::span<const LocalRow> ConnectionRows() { return kRows; }

}  // namespace kdb::proxy

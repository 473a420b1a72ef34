// Commands that the proxy answers itself (routes kProxy and kCatalog): a table from the name in the
// command table to a handler. A family adds a LocalRows() function in its own file and a line in
// local_command.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"
#include "pkg/proxy/catalog_admin.h"
#include "pkg/proxy/command_usage.h"
#include "pkg/proxy/password_file.h"
#include "pkg/proxy/proxy_info.h"
#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::proxy {

// CLIENT REPLY. kSkipNext becomes kSkip at the end of the command that sets it, and kSkip becomes
// kOn after one command.
enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkip };

// What a connection knows of its client.
struct ClientInfo {
  uint64_t id = 0;
  std::string address;        // host:port of the peer
  std::string local_address;  // ours
  std::string name;
  std::string lib_name;
  std::string lib_version;
  Clock::Duration since{};  // monotonic
  Clock::Duration last_command_at{};
  std::string_view last_command = "NULL";  // of the command table
  resp::Version version = resp::Version::kResp2;
  bool authenticated = false;
  ReplyMode reply_mode = ReplyMode::kOn;
  bool no_evict = false;
  bool no_touch = false;
  int fd = -1;
  size_t input_bytes = 0;  // as of the last look
  size_t output_bytes = 0;
};

// The process, as commands see it. Thread-safe.
struct ProxyContext {
  const ProxyInfo& info;
  Passwords& passwords;
  CatalogAdmin& catalog;
  const Clock& clock;
  ClientDirectory& clients;
};

// One command of one client, on its connection's thread. The handler appends one reply to `reply`,
// or calls Later and appends none.
class LocalCall {
 public:
  // Reply now or Later's: exactly one encoded reply.
  using Done = absl::AnyInvocable<void(std::string reply)>;
  // One encoded reply per shard group that owns slots, or an error alone.
  using ShardsDone = absl::AnyInvocable<void(std::vector<std::string> replies)>;

  virtual ~LocalCall() = default;

  // The answer comes later; Done may be called on any thread, or dropped with the server. The
  // version is the present one.
  virtual Done Later() = 0;
  // Runs a read without arguments at every shard group. `done` is called on the connection's thread
  // within kShardsPatience (local_shards.h), also when no answer came, or dropped with the thread.
  virtual void AskShards(const redis::Command& command, ShardsDone done) = 0;
  // The connection is closed after this reply.
  virtual void CloseAfterReply() = 0;
  // Appends to the same reply as `reply`, in the client's version as it is now: for commands that
  // change it.
  virtual resp::ReplyWriter Writer() = 0;

  const redis::Command& command;
  std::span<const std::string_view> args;
  ClientInfo& client;
  const ProxyContext& proxy;
  UsageTotals& usage;  // of all clients
  resp::ReplyWriter& reply;

 protected:
  LocalCall(const redis::Command& command, std::span<const std::string_view> args,
            ClientInfo& client, const ProxyContext& proxy, UsageTotals& usage,
            resp::ReplyWriter& reply)
      : command(command), args(args), client(client), proxy(proxy), usage(usage), reply(reply) {}
};

using LocalHandler = void (*)(LocalCall& call);

struct LocalRow {
  std::string_view name;  // "ping", "client|setname"
  LocalHandler handler;
};

// nullptr: no row. Thread-safe.
LocalHandler FindLocalHandler(std::string_view name);

// The families.
std::span<const LocalRow> ConnectionRows();   // local_connection.cc
std::span<const LocalRow> CatalogRows();      // local_catalog.cc
std::span<const LocalRow> ClientRows();       // local_client.cc
std::span<const LocalRow> ConfigRows();       // local_config.cc
std::span<const LocalRow> ReplicationRows();  // local_replication.cc
std::span<const LocalRow> ServerRows();       // local_server.cc

}  // namespace kdb::proxy

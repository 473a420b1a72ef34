// TIME, ROLE and WAIT: what clients of a replicated Redis ask.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "pkg/proxy/local_command.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

void Time(LocalCall& call) {
  int64_t ms = call.proxy.clock.WallMillis();
  call.reply.Array(2);
  call.reply.Bulk(std::to_string(ms / 1000));
  call.reply.Bulk(std::to_string(ms % 1000 * 1000));
}

// Every proxy takes writes, and its clients see no replicas.
void Role(LocalCall& call) {
  call.reply.Array(3);
  call.reply.Bulk("master");
  call.reply.Integer(0);
  call.reply.Array(0);
}

// Replicas beside the leader that are certain to have an acknowledged write: a majority has it on
// disk.
int64_t CertainReplicas(const catalog::Catalog& catalog) {
  int64_t certain = INT64_MAX;
  for (const catalog::Group& group : catalog.groups()) {
    if (group.state() != catalog::Group::JOINED) continue;
    int64_t voters =
        std::count_if(group.members().begin(), group.members().end(),
                      [](const auto& m) { return m.role() == catalog::Member::VOTER; });
    certain = std::min(certain, voters / 2);
  }
  return certain == INT64_MAX ? 0 : certain;
}

// A write that was acknowledged needs no waiting for: the reply says at once how many replicas are
// certain to have it.
void Wait(LocalCall& call) {
  std::optional<int64_t> replicas = redis::ParseInteger(call.args[1]);
  std::optional<int64_t> timeout = redis::ParseInteger(call.args[2]);
  if (!replicas.has_value()) return call.reply.Error("ERR value is not an integer or out of range");
  if (!timeout.has_value())
    return call.reply.Error("ERR timeout is not an integer or out of range");
  if (*timeout < 0) return call.reply.Error("ERR timeout is negative");
  call.proxy.catalog.Query([version = call.client.version,
                            done = call.Later()](absl::StatusOr<metapb::QueryReply> meta) mutable {
    std::string out;
    resp::ReplyWriter reply(version, out);
    if (meta.ok()) {
      reply.Integer(CertainReplicas(meta->catalog()));
    } else {
      reply.Error(
          fmt::format("ERR the number of replicas is not known while meta does not answer: {}",
                      redis::ErrorText(meta.status())));
    }
    done(std::move(out));
  });
}

constexpr LocalRow kRows[] = {{"role", Role}, {"time", Time}, {"wait", Wait}};

}  // namespace

std::span<const LocalRow> ReplicationRows() { return kRows; }

}  // namespace kdb::proxy

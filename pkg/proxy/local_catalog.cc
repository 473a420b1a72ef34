// shardgroup query | join | leave | move: the original demo's administration, word for word.
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/str_split.h"
#include "pkg/proxy/local_command.h"
#include "pkg/redis/command_docs.h"
#include "pkg/shard/slot.h"

namespace kdb::proxy {
namespace {

std::string Encoded(resp::Version version, const absl::Status& status) {
  std::string out;
  resp::ReplyWriter reply(version, out);
  if (status.ok()) {
    reply.Ok();
  } else {
    reply.Error(
        fmt::format("ERR {}", std::string_view(status.message().data(), status.message().size())));
  }
  return out;
}

CatalogAdmin::Done Answer(LocalCall& call) {
  return [version = call.client.version, done = call.Later()](const absl::Status& status) mutable {
    done(Encoded(version, status));
  };
}

std::optional<uint64_t> ParseGid(LocalCall& call) {
  std::string_view text = call.args[2];
  uint64_t gid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), gid);
  if (error == std::errc() && end == text.data() + text.size() && gid > 0) return gid;
  call.reply.Error("ERR the group id must be a positive integer");
  return std::nullopt;
}

// One flat array: per group `shardgroup`, gid, `servers`, then id and address of each member; ids
// from 0.
std::string FormatGroups(resp::Version version, const catalog::Catalog& catalog) {
  std::string body;
  resp::ReplyWriter items(version, body);
  size_t count = 0;
  for (const catalog::Group& group : catalog.groups()) {
    items.Bulk("shardgroup");
    items.Bulk(std::to_string(group.gid()));
    items.Bulk("servers");
    count += 3;
    for (const catalog::Member& member : group.members()) {
      items.Bulk(std::to_string(member.id() - 1));
      items.Bulk(member.address());
      count += 2;
    }
  }
  std::string out;
  resp::ReplyWriter(version, out).Array(count);
  return out + body;
}

void Query(LocalCall& call) {
  call.proxy.catalog.Query([version = call.client.version,
                            done = call.Later()](absl::StatusOr<metapb::QueryReply> reply) mutable {
    done(reply.ok() ? FormatGroups(version, reply->catalog()) : Encoded(version, reply.status()));
  });
}

void Join(LocalCall& call) {
  std::optional<uint64_t> gid = ParseGid(call);
  if (!gid.has_value()) return;
  absl::string_view list(call.args[3].data(), call.args[3].size());
  std::vector<std::string> addresses = absl::StrSplit(list, ',', absl::SkipWhitespace());
  if (addresses.empty()) return call.reply.Error("ERR no address was given");
  call.proxy.catalog.Join(*gid, std::move(addresses), Answer(call));
}

void Leave(LocalCall& call) {
  std::optional<uint64_t> gid = ParseGid(call);
  if (gid.has_value()) call.proxy.catalog.Leave(*gid, Answer(call));
}

void Move(LocalCall& call) {
  std::optional<uint64_t> gid = ParseGid(call);
  if (!gid.has_value()) return;
  absl::StatusOr<std::vector<shard::Slot>> slots = shard::ParseSlots(call.args[3]);
  if (!slots.ok()) return call.reply.Raw(Encoded(call.client.version, slots.status()));
  call.proxy.catalog.Move(*gid, std::vector<uint32_t>(slots->begin(), slots->end()), Answer(call));
}

void Help(LocalCall& call) { redis::AppendHelp(*redis::FindCommand("shardgroup"), call.reply); }

constexpr LocalRow kRows[] = {
    {"shardgroup|help", Help}, {"shardgroup|join", Join},   {"shardgroup|leave", Leave},
    {"shardgroup|move", Move}, {"shardgroup|query", Query},
};

}  // namespace

std::span<const LocalRow> CatalogRows() { return kRows; }

}  // namespace kdb::proxy

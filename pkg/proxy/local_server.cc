// Commands about the server: INFO, and COMMAND from the command table.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "pkg/proxy/local_command.h"
#include "pkg/proxy/local_info.h"
#include "pkg/redis/command_info.h"
#include "pkg/redis/internal_commands.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

// INFO's text while it waits for what others know.
struct PendingInfo {
  std::string text;
  bool wants_meta;
  resp::Version version;
  CatalogAdmin& catalog;
  LocalCall::Done done;

  void Append(const std::string& section) {
    if (!text.empty()) text.append("\r\n");
    text.append(section);
  }
};

void Finish(PendingInfo info) {
  std::string out;
  resp::ReplyWriter(info.version, out).Verbatim("txt", info.text);
  info.done(std::move(out));
}

void FinishWithMeta(PendingInfo info) {
  if (!info.wants_meta) return Finish(std::move(info));
  CatalogAdmin& catalog = info.catalog;
  catalog.Query([info = std::move(info)](const absl::StatusOr<metapb::QueryReply>& meta) mutable {
    info.Append(MetaSection(meta));
    Finish(std::move(info));
  });
}

void Info(LocalCall& call) {
  std::vector<std::string> sections;
  for (std::string_view arg : call.args.subspan(1)) sections.push_back(redis::ToLower(arg));
  std::string text = InfoSections(call.proxy, call.usage, sections);
  bool wants_meta = InfoWants(sections, "meta");
  bool wants_keyspace = InfoWants(sections, "keyspace");
  if (!wants_meta && !wants_keyspace) return call.reply.Verbatim("txt", text);
  PendingInfo info{std::move(text), wants_meta, call.client.version, call.proxy.catalog,
                   call.Later()};
  if (!wants_keyspace) return FinishWithMeta(std::move(info));
  call.AskShards(redis::kKdbKeyspace,
                 [info = std::move(info)](const std::vector<std::string>& replies) mutable {
                   info.Append(KeyspaceSection(replies));
                   FinishWithMeta(std::move(info));
                 });
}

void Command(LocalCall& call) { redis::AppendCommandReply(call.command, call.args, call.reply); }

constexpr LocalRow kRows[] = {
    {"command", Command},
    {"command|count", Command},
    {"command|docs", Command},
    {"command|getkeys", Command},
    {"command|getkeysandflags", Command},
    {"command|help", Command},
    {"command|info", Command},
    {"command|list", Command},
    {"info", Info},
};

}  // namespace

std::span<const LocalRow> ServerRows() { return kRows; }

}  // namespace kdb::proxy

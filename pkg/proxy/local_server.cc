// Commands about the server: INFO, and COMMAND from the command table.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "pkg/proxy/local_command.h"
#include "pkg/proxy/local_info.h"
#include "pkg/redis/command_info.h"
#include "pkg/redis/parse.h"

namespace kdb::proxy {
namespace {

void Info(LocalCall& call) {
  std::vector<std::string> sections;
  for (std::string_view arg : call.args.subspan(1)) sections.push_back(redis::ToLower(arg));
  std::string text = InfoSections(call.proxy, sections);
  if (!InfoWants(sections, "meta")) return call.reply.Verbatim("txt", text);
  call.proxy.catalog.Query([version = call.client.version, text = std::move(text),
                            done = call.Later()](absl::StatusOr<metapb::QueryReply> meta) mutable {
    if (!text.empty()) text.append("\r\n");
    text.append(MetaSection(meta));
    std::string out;
    resp::ReplyWriter(version, out).Verbatim("txt", text);
    done(std::move(out));
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

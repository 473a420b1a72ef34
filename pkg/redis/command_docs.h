// COMMAND DOCS and HELP, from the command table.
#pragma once

#include <span>
#include <string_view>

#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::redis {

// Appends the documentation of the commands that exist among `names`; of all when there are none.
void AppendDocs(std::span<const std::string_view> names, resp::ReplyWriter& reply);

// HELP of a container: CLIENT, COMMAND, CONFIG, shardgroup.
void AppendHelp(const Command& container, resp::ReplyWriter& reply);

}  // namespace kdb::redis

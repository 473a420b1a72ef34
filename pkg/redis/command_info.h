// The replies that only need the command table: COMMAND and its subcommands. HELP of containers is
// in command_docs.h.
#pragma once

#include <span>
#include <string_view>

#include "pkg/redis/command.h"
#include "pkg/resp/reply_writer.h"

namespace kdb::redis {

// Appends the reply of `command`, which Resolve gave for `args` and which is COMMAND or one of its
// subcommands. As Redis 7.0, but sorted by name where Redis's order is that of a hash table,
// without the argument trees of COMMAND DOCS, and HELP in this table's words. Thread-safe.
void AppendCommandReply(const Command& command, std::span<const std::string_view> args,
                        resp::ReplyWriter& reply);

}  // namespace kdb::redis

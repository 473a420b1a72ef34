// The families of the command table, one file each. Only the table's own files include this.
#pragma once

#include "pkg/redis/command.h"

namespace kdb::redis {

Subcommands ConnectionCommands();
Subcommands GenericCommands();
Subcommands ServerCommands();
Subcommands ShardgroupCommands();
Subcommands StringCommands();

}  // namespace kdb::redis

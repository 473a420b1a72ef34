#include "pkg/redis/rows.h"

namespace kdb::redis {
namespace {

// Not of Redis; `since` is our own version.
constexpr uint32_t kQueryFlags = kAdmin | kNoScript | kLoading | kStale;
constexpr uint32_t kChangeFlags = kAdmin | kNoScript;
constexpr std::string_view kCategories = "admin slow dangerous";

constexpr Command kShardgroupSubcommands[] = {
    {.name = "shardgroup|help",
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = "slow",
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Describes the subcommands",
     .complexity = "O(1)"},
    {.name = "shardgroup|join",
     .arity = 4,
     .flags = kChangeFlags,
     .route = Route::kCatalog,
     .categories = kCategories,
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Makes servers the members of a shard group, and waits for its leader",
     .syntax = "gid address[,address...]",
     .complexity = "O(1)"},
    {.name = "shardgroup|leave",
     .arity = 3,
     .flags = kChangeFlags,
     .route = Route::kCatalog,
     .categories = kCategories,
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Takes a shard group without slots out of the cluster",
     .syntax = "gid",
     .complexity = "O(1)"},
    {.name = "shardgroup|move",
     .arity = 4,
     .flags = kChangeFlags,
     .route = Route::kCatalog,
     .categories = kCategories,
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Gives slots to a shard group, and waits until it serves them",
     .syntax = "gid slots",
     .complexity = "O(N) with N the number of slots"},
    {.name = "shardgroup|query",
     .arity = 2,
     .flags = kQueryFlags,
     .route = Route::kCatalog,
     .categories = kCategories,
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Lists the shard groups and their members",
     .complexity = "O(N) with N the number of groups"},
};

constexpr Command kShardgroupCommands[] = {
    {.name = "shardgroup",
     .arity = -2,
     .flags = 0,
     .route = Route::kCatalog,
     .categories = "slow",
     .group = "cluster",
     .since = "0.1.0",
     .summary = "Commands about shard groups",
     .complexity = "Depends on the subcommand",
     .subcommands = kShardgroupSubcommands},
};

}  // namespace

Subcommands ShardgroupCommands() { return kShardgroupCommands; }

}  // namespace kdb::redis

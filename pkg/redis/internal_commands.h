// Commands that proxies send to shards and clients cannot name: FindCommand does not know them.
#pragma once

#include "pkg/redis/command.h"

namespace kdb::redis {

inline constexpr Command kKdbKeyspace{.name = "kdb.keyspace",
                                      .arity = 1,
                                      .flags = kReadonly,
                                      .route = Route::kAllGroups,
                                      .group = "internal",
                                      .summary = "The numbers of keys and of keys with an expiry"};

inline constexpr Command kKdbScan{.name = "kdb.scan",
                                  .arity = 6,
                                  .flags = kReadonly,
                                  .route = Route::kAllGroups,
                                  .group = "internal",
                                  .summary = "A page of strings in the order of their keys",
                                  .syntax = "start end limit reverse keys_only"};

}  // namespace kdb::redis

// Where the command table differs from redis-server 7.0 on purpose, each with the reason. Only
// tests include this.
#pragma once

#include <string_view>

namespace kdb::redis {

struct ReferenceException {
  std::string_view name;
  std::string_view reason;
};

// Rows that Redis 7.0 does not have.
inline constexpr ReferenceException kNotInRedis[] = {
    {"client|no-touch", "of Redis 7.2"},
    {"client|setinfo", "of Redis 7.2; client libraries send it on connect"},
    {"shardgroup", "our own"},
    {"shardgroup|help", "our own"},
    {"shardgroup|join", "our own"},
    {"shardgroup|leave", "our own"},
    {"shardgroup|move", "our own"},
    {"shardgroup|query", "our own"},
};

// Subcommands of our containers that only Redis has.
inline constexpr ReferenceException kOnlyInRedis[] = {
    {"client|caching", "no client-side caching"},
    {"client|getredir", "no client-side caching"},
    {"client|tracking", "no client-side caching"},
    {"client|trackinginfo", "no client-side caching"},
    {"client|kill", "connections are spread over proxies"},
    {"client|pause", "connections are spread over proxies"},
    {"client|unpause", "connections are spread over proxies"},
    {"client|unblock", "there are no blocking commands"},
    {"config|rewrite", "the configuration file belongs to the operator"},
};

}  // namespace kdb::redis

// Without room for more data a leader refuses the commands that may need it, before the log, and
// lets all others of their batch pass.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kdb::kv {

// Rewrites an encoded wire::Batch so that its ops which may grow data (the command table's denyoom)
// are answered -OOM and carry no command any more. Returns how many they are; 0: *rewritten is not
// touched.
size_t RefuseGrowth(std::string_view batch, std::string* rewritten);

}  // namespace kdb::kv

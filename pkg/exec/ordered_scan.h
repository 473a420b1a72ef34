// Strings in the order of their keys, over all slots of a shard: what the KV API's Scan reads. It
// runs as the internal command
//     kdb.scan start end limit reverse keys_only
// whose reply is a flat array key, value, key, value... (only keys with keys_only). Range: start <=
// key < end; an empty `end` has no bound. `reverse` and `keys_only` are 0 or 1. A page that was cut
// short by its size, before `limit` and before the range's end, ends with one null element more.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/exec/executor.h"

namespace kdb::exec {

inline constexpr size_t kMaxScanLimit = 10000;
// A page ends with the key that takes its keys and values beyond this.
inline constexpr size_t kMaxScanPageBytes = 4 << 20;

struct OrderedScan {
  std::string_view start;
  std::string_view end;
  size_t limit = 0;  // at most kMaxScanLimit are returned
  bool reverse = false;
  bool keys_only = false;
};

using ScanVisitor = std::function<void(std::string_view key, std::string_view value)>;

// Calls `visit` with each live string in order; the value is empty with keys_only. True when the
// page was cut short by its size.
absl::StatusOr<bool> ScanInOrder(const Environment& env, const OrderedScan& scan,
                                 const ScanVisitor& visit);

// Commands that are in no client's table: nullptr when `name` is none. Shards look here before
// redis::Resolve; proxies never do.
const redis::Command* FindInternalCommand(std::string_view name);
// An internal command, or redis::Resolve's answer.
absl::Status ResolveOnShard(std::span<const std::string_view> args, const redis::Command** command);

}  // namespace kdb::exec

// Pages of the KV API's Scan: what is asked of every shard group, and how their answers become one
// page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/kv.pb.h"

namespace kdb::proxy {

// What a page of `redis::kKdbScan` asks for.
struct KvScan {
  std::string start;  // start <= key < end; an empty end has no bound
  std::string end;
  uint32_t limit = 0;
  bool reverse = false;
  bool keys_only = false;
  uint32_t fields_crc = 0;  // of the request without its token: a token fits one request only
};

// INVALID_ARGUMENT: too large a limit, prefix beside start or end, a token of another request.
absl::StatusOr<KvScan> ParseScan(const kv::v1::ScanRequest& request);
// Views into `scan` and `scratch`.
std::vector<std::string_view> ScanArgs(const KvScan& scan, std::string* scratch);
// `replies`: one RESP reply per group, no errors. INTERNAL when one has another shape.
absl::Status MergePage(const KvScan& scan, const std::vector<std::string>& replies,
                       kv::v1::ScanResponse* response);

}  // namespace kdb::proxy

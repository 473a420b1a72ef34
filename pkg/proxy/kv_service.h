// The KV API (proto/kv.proto) over the router of one I/O thread.
#pragma once

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/http2/service.h"
#include "pkg/proxy/io_thread.h"

namespace kdb::proxy {

// The metadata that a call's password comes in, if passwords are asked for.
inline constexpr char kPasswordMetadata[] = "kdb-password";
inline constexpr size_t kMaxKeyBytes = 64 << 10;

// What an error reply ("-CODE text") means to a caller of the KV API; proto/kv.proto lists it.
absl::Status StatusOfError(std::string_view reply);

// On the thread's loop only, or while that does not run.
class KvService final : public http2::Service {
 public:
  // `thread` outlives the service.
  KvService(IoThread& thread, size_t max_value_bytes)
      : thread_(thread), max_value_bytes_(max_value_bytes) {}

  bool Has(std::string_view path) const override;
  std::unique_ptr<http2::PendingCall> Start(http2::Call& call) override;

 private:
  // Whether the call may run at all: its password, the router's load.
  absl::Status Admit(const http2::Call& call) const;

  IoThread& thread_;
  const size_t max_value_bytes_;
};

}  // namespace kdb::proxy

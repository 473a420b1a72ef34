// The clients of all I/O threads, for CLIENT LIST.
#pragma once

#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/proxy/io_thread.h"
#include "pkg/proxy/proxy_info.h"

namespace kdb::proxy {

// Thread-safe.
class ClientList final : public ClientDirectory {
 public:
  // They outlive this, or are taken back by SetThreads({}).
  void SetThreads(std::vector<IoThread*> threads);
  void List(absl::AnyInvocable<void(std::vector<ClientInfo>)> done) override;

 private:
  Mutex mu_;
  std::vector<IoThread*> threads_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::proxy

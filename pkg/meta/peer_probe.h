// Which servers of the meta group run: they answered just now, as the directory that the group
// knows.
#pragma once

#include <chrono>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/rpc/admin_client.h"
#include "proto/catalog.pb.h"

namespace kdb::meta {

// Thread-safe. Concurrent calls share one round, and its result stays good for kFresh.
class PeerProbe {
 public:
  static constexpr std::chrono::milliseconds kTimeout{1000};
  static constexpr std::chrono::milliseconds kFresh{500};

  explicit PeerProbe(rpc::AdminClient& admin) : admin_(admin) {}

  // For each member whether it runs; blocks for kTimeout at most, as long as the slowest peer
  // takes.
  std::vector<bool> Running(const std::vector<catalog::Member>& members);

 private:
  std::vector<bool> Ask(const std::vector<catalog::Member>& members);

  rpc::AdminClient& admin_;
  Mutex mu_;
  CondVar done_;
  bool asking_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<bool> running_ ABSL_GUARDED_BY(mu_);
  std::chrono::steady_clock::time_point asked_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::meta

// Keeps a copy of the catalog new: watches a meta server, another when that fails, and while none
// answers asks kv servers for the copies that they cache (design 6: proxies start, and serve on,
// with meta down).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/obs/log.h"
#include "proto/catalog.pb.h"
#include "proto/meta.grpc.pb.h"

namespace kdb::rpc {

struct CatalogWatcherOptions {
  std::vector<std::string> meta_seeds;
  std::vector<std::string> kv_seeds;  // may be empty
  std::string cluster_id;  // catalogs of others are refused; empty: the first one seen decides
  std::chrono::milliseconds kv_timeout{1000};
  std::chrono::milliseconds min_backoff{50};
  std::chrono::milliseconds max_backoff{1000};
};

// Thread-safe. Has one thread of its own, joined by the destructor.
class CatalogWatcher {
 public:
  // Called on the watcher's thread with ever newer versions; must not block for long.
  using OnCatalog = absl::AnyInvocable<void(const catalog::Catalog&)>;

  CatalogWatcher(CatalogWatcherOptions options, OnCatalog on_catalog, obs::Logger logger,
                 Random random);
  ~CatalogWatcher();

  // Somebody answered with a newer epoch than the catalog has: asks the next meta server at once,
  // unless the last such call was less than min_backoff ago.
  void Refresh();

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  // Watches one server until its stream ends. True when it gave at least one answer.
  bool Watch(const std::string& address);
  void AskKvServers();
  void Take(const catalog::Catalog& catalog, const std::string& from);
  // False when stopping.
  bool Pause(int failures);
  bool stopping();

  const CatalogWatcherOptions options_;
  const obs::Logger logger_;

  // Of the watcher's thread.
  OnCatalog on_catalog_;
  Random random_;
  std::vector<std::string> meta_servers_;  // the seeds, then those that the catalog names
  std::string cluster_id_;
  uint64_t version_ = 0;

  Mutex mu_;
  CondVar cv_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool refresh_ ABSL_GUARDED_BY(mu_) = false;
  Clock::time_point last_refresh_ ABSL_GUARDED_BY(mu_);
  grpc::ClientContext* running_ ABSL_GUARDED_BY(mu_) = nullptr;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace kdb::rpc

// The newest catalog that this server has seen, kept in a file: it serves proxies while meta is
// down (design 6).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/env/file_system.h"
#include "pkg/obs/log.h"
#include "proto/catalog.pb.h"

namespace kdb::server {

// One cluster's for as long as the directory lives: that of the birth certificate, or, while there
// is none, of the first catalog that came (the file remembers). Catalogs of others are refused: two
// clusters' meta servers must not feed one kv. Thread-safe.
class CatalogCache {
 public:
  // Starts with what `path` holds. `cluster_id`: the birth certificate's; empty while passive. A
  // damaged file, or one of another cluster, is logged and ignored: it is only a copy.
  CatalogCache(FileSystem& fs, std::string path, obs::Logger logger, std::string cluster_id = "");

  // Ignores older versions and other clusters. False when it was not taken.
  bool Update(const catalog::Catalog& catalog);
  catalog::Catalog Get() const;

  // Empty: not known yet.
  std::string cluster_id() const;
  // FAILED_PRECONDITION when this server follows another cluster: what to do is in the message.
  absl::Status CheckCluster(const std::string& cluster_id) const;
  // This server was born into the cluster, which counts more than any catalog.
  void Adopt(const std::string& cluster_id);

 private:
  void Load();
  absl::Status CheckClusterLocked(const std::string& cluster_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  FileSystem& fs_;
  const std::string path_;
  const obs::Logger logger_;
  Mutex write_mu_;  // one writer of the file at a time; never with mu_ held
  mutable Mutex mu_;
  std::string cluster_id_ ABSL_GUARDED_BY(mu_);
  catalog::Catalog catalog_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::server

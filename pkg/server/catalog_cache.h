// The newest catalog that this server has seen, kept in a file: it serves proxies while meta is
// down (design 6).
#pragma once

#include <string>

#include "pkg/base/mutex.h"
#include "pkg/env/file_system.h"
#include "pkg/obs/log.h"
#include "proto/catalog.pb.h"

namespace kdb::server {

// Thread-safe.
class CatalogCache {
 public:
  // Starts with what `path` holds. A damaged file is logged and ignored: it is only a copy.
  CatalogCache(FileSystem& fs, std::string path, obs::Logger logger);

  // Ignores older versions. False when it was not newer.
  bool Update(const catalog::Catalog& catalog);
  catalog::Catalog Get() const;

 private:
  FileSystem& fs_;
  const std::string path_;
  const obs::Logger logger_;
  Mutex write_mu_;  // one writer of the file at a time; never with mu_ held
  mutable Mutex mu_;
  catalog::Catalog catalog_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::server

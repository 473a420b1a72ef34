#include "pkg/server/catalog_cache.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/status.h"
#include "pkg/env/sealed_file.h"

namespace kdb::server {
namespace {

constexpr uint8_t kVersion = 1;

// NOT_FOUND when there is none yet.
absl::StatusOr<catalog::Catalog> ReadCatalog(FileSystem& fs, const std::string& path) {
  KDB_ASSIGN_OR_RETURN(std::string body, ReadSealed(fs, path, kVersion));
  catalog::Catalog catalog;
  if (!catalog.ParseFromString(body)) return absl::DataLossError("it is not a catalog");
  return catalog;
}

}  // namespace

CatalogCache::CatalogCache(FileSystem& fs, std::string path, obs::Logger logger,
                           std::string cluster_id)
    : fs_(fs),
      path_(std::move(path)),
      logger_(std::move(logger)),
      cluster_id_(std::move(cluster_id)) {
  Load();
}

void CatalogCache::Load() {
  absl::StatusOr<catalog::Catalog> catalog = ReadCatalog(fs_, path_);
  if (absl::IsNotFound(catalog.status())) return;
  MutexLock lock(mu_);
  absl::Status status = catalog.ok() ? CheckClusterLocked(catalog->cluster_id()) : catalog.status();
  if (!status.ok()) {
    logger_->warn("{}: the cached catalog is ignored: {}", path_, std::string(status.message()));
    return;
  }
  cluster_id_ = catalog->cluster_id();
  catalog_ = *std::move(catalog);
}

bool CatalogCache::Update(const catalog::Catalog& catalog) {
  MutexLock writing(write_mu_);
  {
    MutexLock lock(mu_);
    if (absl::Status s = CheckClusterLocked(catalog.cluster_id()); !s.ok()) {
      logger_->warn("a catalog is refused: {}", std::string(s.message()));
      return false;
    }
    if (catalog.version() <= catalog_.version()) return false;
    cluster_id_ = catalog.cluster_id();
    catalog_ = catalog;
  }
  if (absl::Status s = WriteSealed(fs_, path_, kVersion, catalog.SerializeAsString()); !s.ok()) {
    logger_->warn("{}: the catalog could not be cached: {}", path_, std::string(s.message()));
  }
  return true;
}

catalog::Catalog CatalogCache::Get() const {
  MutexLock lock(mu_);
  return catalog_;
}

std::string CatalogCache::cluster_id() const {
  MutexLock lock(mu_);
  return cluster_id_;
}

absl::Status CatalogCache::CheckCluster(const std::string& cluster_id) const {
  MutexLock lock(mu_);
  return CheckClusterLocked(cluster_id);
}

absl::Status CatalogCache::CheckClusterLocked(const std::string& cluster_id) const {
  if (cluster_id_.empty() || cluster_id == cluster_id_) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "this server follows cluster {}, not {}: check which meta servers it is configured with. If "
      "it was never born and is to change, stop it, remove {} and start it again",
      cluster_id_, cluster_id, path_));
}

void CatalogCache::Adopt(const std::string& cluster_id) {
  MutexLock lock(mu_);
  if (cluster_id_ != cluster_id) catalog_.Clear();
  cluster_id_ = cluster_id;
}

}  // namespace kdb::server

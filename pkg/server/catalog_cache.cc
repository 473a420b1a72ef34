#include "pkg/server/catalog_cache.h"

#include <utility>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"

namespace kdb::server {
namespace {

// Checksum (4 bytes, little endian) of the rest, then the serialized catalog.
std::string Encode(const catalog::Catalog& catalog) {
  std::string body = catalog.SerializeAsString();
  std::string out;
  AppendLittle(out, Crc32c(body));
  return out + body;
}

bool Decode(std::string_view bytes, catalog::Catalog* catalog) {
  ByteReader reader(bytes);
  auto crc = reader.Little<uint32_t>();
  std::string_view body = reader.rest();
  return reader.ok() && crc == Crc32c(body) &&
         catalog->ParseFromArray(body.data(), static_cast<int>(body.size()));
}

}  // namespace

CatalogCache::CatalogCache(FileSystem& fs, std::string path, obs::Logger logger)
    : fs_(fs), path_(std::move(path)), logger_(std::move(logger)) {
  absl::StatusOr<std::string> bytes = ReadFile(fs_, path_);
  if (absl::IsNotFound(bytes.status())) return;
  MutexLock lock(mu_);
  if (!bytes.ok() || !Decode(*bytes, &catalog_)) {
    logger_->warn("{}: the cached catalog cannot be read and is ignored: {}", path_,
                  bytes.ok() ? "checksum mismatch" : std::string(bytes.status().message()));
    catalog_.Clear();
  }
}

bool CatalogCache::Update(const catalog::Catalog& catalog) {
  MutexLock writing(write_mu_);
  {
    MutexLock lock(mu_);
    if (catalog.version() <= catalog_.version()) return false;
    catalog_ = catalog;
  }
  if (absl::Status s = WriteFileDurably(fs_, path_, Encode(catalog)); !s.ok()) {
    logger_->warn("{}: the catalog could not be cached: {}", path_, std::string(s.message()));
  }
  return true;
}

catalog::Catalog CatalogCache::Get() const {
  MutexLock lock(mu_);
  return catalog_;
}

}  // namespace kdb::server

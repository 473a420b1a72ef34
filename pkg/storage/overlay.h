// Read-your-writes over a batch that is not yet written: RocksDB's WriteBatchWithIndex cannot
// DeleteRange.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pkg/storage/engine.h"
#include "pkg/storage/record_cache.h"

namespace kdb::storage {

// Passes changes on to `batch` and shows them, on top of `base`, to readers. What it reads goes
// through a cache, so nobody else may change those records of `base`. Not thread-safe; `base` and
// `batch` outlive it. Iterators see the overlay as of their creation and are invalid
// after the next change.
class Overlay final : public Reader {
 public:
  Overlay(const Reader& base, WriteBatch& batch, size_t cache_bytes = 0);
  ~Overlay() override;

  void Put(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void DeleteRange(std::string_view begin, std::string_view end);
  // The batch was written: `base` shows it.
  void Written();
  // The batch was not written.
  void Clear();

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override;
  std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                        std::string_view upper) const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kdb::storage

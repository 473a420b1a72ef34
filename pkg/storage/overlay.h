// Read-your-writes over changes that are not yet written: RocksDB's WriteBatchWithIndex cannot
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

// Holds changes and shows them, on top of `base`, to readers. What it reads goes through a cache,
// so nobody else may change those records of `base`. Not thread-safe; `base` outlives it. Iterators
// see the overlay as of their creation and are invalid after the next change.
class Overlay final : public Reader {
 public:
  explicit Overlay(const Reader& base, size_t cache_bytes = 0);
  ~Overlay() override;

  void Put(std::string_view key, std::string_view value);
  // The same of a key that `base` does not have: deleted before it is written, it never is.
  void Insert(std::string_view key, std::string_view value);
  void Delete(std::string_view key);
  void DeleteRange(std::string_view begin, std::string_view end);
  // Adds all changes to `batch`, each key once.
  void AddTo(WriteBatch& batch) const;
  // They were written: `base` shows them.
  void Written();
  // They are not to be written.
  void Clear();

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override;
  std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                        std::string_view upper) const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kdb::storage

// Records that were read lately, so that a counter that is incremented again and again is not
// looked up in the engine each time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace kdb::storage {

// Two generations: what is not used for as long as it takes to fill one is forgotten. Not
// thread-safe.
class RecordCache {
 public:
  // About `max_bytes` of memory; 0: keeps nothing.
  explicit RecordCache(size_t max_bytes) : max_generation_bytes_(max_bytes / 2) {}

  // nullptr: not known. Valid until the next change.
  const std::string* Find(std::string_view key);
  // The engine holds this; a long value is not kept.
  void Add(std::string_view key, std::string_view value);
  // The engine holds this from now on.
  void Update(std::string_view key, std::string_view value);
  void Erase(std::string_view key);
  void Clear();

  size_t bytes() const { return young_.bytes + old_.bytes; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  struct Generation {
    absl::flat_hash_map<std::string, std::string, Hash, Equal> records;
    size_t bytes = 0;
  };

  void Drop(Generation& generation, std::string_view key);

  const size_t max_generation_bytes_;
  Generation young_;
  Generation old_;
};

}  // namespace kdb::storage

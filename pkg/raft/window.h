// What is under way, by index and bytes: appends to a follower, proposals not yet committed,
// entries being applied.
#pragma once

#include <cstdint>
#include <vector>

#include "pkg/raft/types.h"

namespace kdb::raft {

// A FIFO of (last index, bytes) in a ring that grows and is then reused. Not thread-safe.
class Window {
 public:
  // `last` is larger than any index in the window.
  void Add(Index last, size_t bytes);
  // Frees everything at or below `index`.
  void FreeTo(Index index);
  void Clear();

  size_t count() const { return count_; }
  size_t bytes() const { return bytes_; }

 private:
  struct Item {
    Index last;
    size_t bytes;
  };

  void Grow();

  std::vector<Item> ring_;  // its size is 0 or a power of two
  size_t head_ = 0;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace kdb::raft

// The unsynced bytes of one file, over the file as the disk has it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"

namespace kdb {

// Sequential appends extend one extent in place, so holding a file of MBs costs one map node per
// MiB. Not thread-safe.
class HeldContent {
 public:
  // `disk` outlives the object and is changed only through it.
  HeldContent(File& disk, uint64_t disk_size) : disk_(disk), valid_(disk_size), size_(disk_size) {}

  absl::StatusOr<size_t> Read(uint64_t offset, size_t n, char* out) const;
  void Write(uint64_t offset, std::string_view data);
  void Allocate(uint64_t size);
  void Truncate(uint64_t size);
  uint64_t size() const { return size_; }

  // Brings the disk up to date.
  absl::Status Flush();
  // What a power failure may leave: each held sector and the new size reach the disk or not, at
  // random.
  absl::Status FlushSome(Random& random);

 private:
  static constexpr size_t kSector = 512;
  static constexpr size_t kMaxExtent = 1 << 20;

  void Forget(uint64_t from, uint64_t to);

  File& disk_;
  uint64_t valid_;  // the disk's bytes below this still count; above are zeros or held
  uint64_t size_;
  uint64_t allocate_ = 0;
  std::map<uint64_t, std::string> extents_;  // by offset; they do not overlap
};

}  // namespace kdb

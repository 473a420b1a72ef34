#include "pkg/env/held_content.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "pkg/base/status.h"

namespace kdb {

absl::StatusOr<size_t> HeldContent::Read(uint64_t offset, size_t n, char* out) const {
  if (offset >= size_ || n == 0) return 0;
  n = std::min(n, static_cast<size_t>(size_ - offset));
  size_t from_disk = offset < valid_ ? std::min(n, static_cast<size_t>(valid_ - offset)) : 0;
  KDB_ASSIGN_OR_RETURN(from_disk, disk_.ReadAt(offset, from_disk, out));
  std::memset(out + from_disk, 0, n - from_disk);

  auto it = extents_.upper_bound(offset);
  if (it != extents_.begin()) --it;
  for (; it != extents_.end() && it->first < offset + n; ++it) {
    uint64_t begin = std::max(offset, it->first);
    uint64_t end = std::min(offset + n, it->first + it->second.size());
    if (begin < end) {
      std::memcpy(out + (begin - offset), it->second.data() + (begin - it->first), end - begin);
    }
  }
  return n;
}

void HeldContent::Forget(uint64_t from, uint64_t to) {
  auto it = extents_.upper_bound(from);
  if (it != extents_.begin()) --it;
  while (it != extents_.end() && it->first < to) {
    uint64_t begin = it->first;
    uint64_t end = begin + it->second.size();
    if (end <= from) {
      ++it;
      continue;
    }
    if (end > to) extents_[to] = it->second.substr(to - begin);
    if (begin < from) {
      it->second.resize(from - begin);
      ++it;
    } else {
      it = extents_.erase(it);
    }
  }
}

void HeldContent::Write(uint64_t offset, std::string_view data) {
  if (data.empty()) return;
  uint64_t end = offset + data.size();
  size_ = std::max(size_, end);
  auto next = extents_.upper_bound(offset);
  if (next != extents_.begin()) {
    auto& [begin, bytes] = *std::prev(next);
    if (end <= begin + bytes.size()) {  // within it
      std::memcpy(bytes.data() + (offset - begin), data.data(), data.size());
      return;
    }
    bool room_behind = next == extents_.end() || next->first >= end;
    if (offset == begin + bytes.size() && room_behind && bytes.size() + data.size() <= kMaxExtent) {
      bytes.append(data);
      return;
    }
  }
  Forget(offset, end);
  extents_[offset] = std::string(data);
}

void HeldContent::Allocate(uint64_t size) {
  allocate_ = std::max(allocate_, size);
  size_ = std::max(size_, size);
}

void HeldContent::Truncate(uint64_t size) {
  Forget(size, UINT64_MAX);
  valid_ = std::min(valid_, size);
  allocate_ = std::min(allocate_, size);
  size_ = size;
}

absl::Status HeldContent::Flush() {
  KDB_ASSIGN_OR_RETURN(uint64_t disk_size, disk_.Size());
  if (disk_size > valid_) KDB_RETURN_IF_ERROR(disk_.Truncate(valid_));
  if (allocate_ > 0) KDB_RETURN_IF_ERROR(disk_.Allocate(allocate_));
  for (const auto& [offset, bytes] : extents_) KDB_RETURN_IF_ERROR(disk_.WriteAt(offset, bytes));
  KDB_ASSIGN_OR_RETURN(disk_size, disk_.Size());
  if (disk_size < size_) KDB_RETURN_IF_ERROR(disk_.Truncate(size_));
  extents_.clear();
  allocate_ = 0;
  valid_ = size_;
  return absl::OkStatus();
}

absl::Status HeldContent::FlushSome(Random& random) {
  KDB_ASSIGN_OR_RETURN(uint64_t disk_size, disk_.Size());
  if (size_ != disk_size) {
    uint64_t low = std::min(size_, disk_size);
    uint64_t high = std::max(size_, disk_size);
    uint64_t choices[] = {disk_size, size_, low + random.Uniform(high - low + 1)};
    disk_size = choices[random.Uniform(3)];
    KDB_RETURN_IF_ERROR(disk_.Truncate(disk_size));
  }
  for (const auto& [offset, bytes] : extents_) {
    for (size_t at = 0, n = 0; at < bytes.size(); at += n) {
      n = std::min(bytes.size() - at, kSector - (offset + at) % kSector);
      if (offset + at >= disk_size || random.OneIn(2)) continue;
      n = std::min(n, static_cast<size_t>(disk_size - offset - at));
      KDB_RETURN_IF_ERROR(disk_.WriteAt(offset + at, std::string_view(bytes).substr(at, n)));
    }
  }
  return absl::OkStatus();
}

}  // namespace kdb

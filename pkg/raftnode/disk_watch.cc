#include "pkg/raftnode/disk_watch.h"

#include <fmt/format.h>

#include <utility>

namespace kdb::raftnode {
namespace {

double UsedPercent(const FileSystem::Space& space) {
  if (space.total_bytes == 0) return 0;
  const uint64_t used = space.total_bytes - space.available_bytes;
  return 100.0 * static_cast<double>(used) / static_cast<double>(space.total_bytes);
}

}  // namespace

bool DiskWatch::Update(const FileSystem::Space& space) {
  space_ = space;
  DiskLevel now = DiskLevel::kRoom;
  if (Uses(limits_.warn_percent, DiskLevel::kWarn)) now = DiskLevel::kWarn;
  if (Uses(limits_.full_percent, DiskLevel::kFull)) now = DiskLevel::kFull;
  if (InReserve()) now = DiskLevel::kReserve;
  return std::exchange(level_, now) != now;
}

bool DiskWatch::Uses(uint64_t percent, DiskLevel level) const {
  const uint64_t margin = level_ >= level ? kMarginPercent : 0;
  return UsedPercent(space_) >= static_cast<double>(percent) - static_cast<double>(margin);
}

bool DiskWatch::InReserve() const {
  const size_t margin = level_ == DiskLevel::kReserve ? limits_.min_free_bytes / 4 : 0;
  return space_.available_bytes < limits_.min_free_bytes + margin;
}

std::string DiskWatch::Describe() const {
  return fmt::format("{:.1f} % of the disk used, {} MiB free", UsedPercent(space_),
                     space_.available_bytes >> 20);
}

}  // namespace kdb::raftnode

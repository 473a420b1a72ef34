// How full the disk of a member is, in levels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "pkg/env/file_system.h"

namespace kdb::raftnode {

enum class DiskLevel : uint8_t {
  kRoom = 0,
  kWarn = 1,
  kFull = 2,     // what grows data is to be refused
  kReserve = 3,  // nothing is proposed: what is left is for flushes, elections and the log's end
};

struct DiskLimits {
  uint64_t warn_percent = 85;  // of the disk used
  uint64_t full_percent = 92;
  size_t min_free_bytes = 16 << 20;  // below: kReserve
};

// Not thread-safe.
class DiskWatch {
 public:
  // A level is left this far below its limit, or a disk at the limit would flap.
  static constexpr uint64_t kMarginPercent = 2;

  explicit DiskWatch(const DiskLimits& limits) : limits_(limits) {}

  // True when the level has changed.
  bool Update(const FileSystem::Space& space);
  DiskLevel level() const { return level_; }
  // Of the last update, for people.
  std::string Describe() const;

 private:
  bool Uses(uint64_t percent, DiskLevel level) const;
  bool InReserve() const;

  const DiskLimits limits_;
  FileSystem::Space space_{};
  DiskLevel level_ = DiskLevel::kRoom;
};

}  // namespace kdb::raftnode

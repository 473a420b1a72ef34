// What the log, apply and background roles tell the raft role.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/raft/types.h"
#include "pkg/raftnode/disk_watch.h"

namespace kdb::raftnode {

// Why the node is not quite well; readiness is false while any holds.
enum class Trouble : uint8_t {
  kLogStalled,
  kDiskNearlyFull,  // DiskLevel::kFull
  kLogDiskLow,      // DiskLevel::kReserve
  kLogDiskFull,     // a write was refused
  kApplyDiskFull,
  kFlushDiskFull,
  kSnapshotNeeded,
};

// Thread-safe; none blocks. The effects come later, on the raft role.
class RoleEvents {
 public:
  virtual ~RoleEvents() = default;
  // All requests up to `seq` are durable.
  virtual void OnPersisted(uint64_t seq) = 0;
  virtual void OnApplied(raft::Index index) = 0;
  // Empty `why`: it is over.
  virtual void OnTrouble(Trouble trouble, std::string why) = 0;
  virtual void OnDiskLevel(DiskLevel level, std::string text) = 0;
  // A flush ended; what the state machine would restart from.
  virtual void OnFlushed(absl::StatusOr<raft::Index> persisted) = 0;
  // The node must stop.
  virtual void OnFailed(absl::Status status) = 0;
};

}  // namespace kdb::raftnode

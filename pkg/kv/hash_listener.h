// What the log says of the group's hash check; it changes nothing of the state.
#pragma once

#include <memory>

#include "pkg/raft/types.h"
#include "pkg/storage/engine.h"

namespace kdb::kv {

// Called on the apply thread; must not block.
class HashListener {
 public:
  virtual ~HashListener() = default;
  // The state as of entry `index`, on every replica.
  virtual void OnHashPoint(raft::Index index, std::unique_ptr<storage::Snapshot> snapshot) = 0;
  // The hash that a quorum's states had at an earlier point.
  virtual void OnHashVerdict(const raft::StateHash& verdict) = 0;
};

}  // namespace kdb::kv

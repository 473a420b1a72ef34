// A state machine small enough to check by eye: it appends every entry's bytes to a list and
// answers with the length.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/raftnode/state_machine.h"

namespace kdb::testing {

// What survives a crash: the state as of the last flush. Owned by the test.
struct ListDisk {
  raftnode::AppliedState applied;
  std::vector<std::string> values;
};

// Thread-safe but for setting the faults.
class ListMachine final : public raftnode::StateMachine {
 public:
  // Asked before every Apply and Flush; its error is returned.
  using Fault = std::function<absl::Status()>;

  // `disk` outlives the machine.
  explicit ListMachine(ListDisk& disk) : disk_(disk), state_(disk) {}

  raftnode::AppliedState applied() const override {
    MutexLock lock(mu_);
    return state_.applied;
  }
  absl::Status Apply(std::span<const raftnode::CommittedEntry> entries,
                     std::vector<Payload>* results) override;
  absl::StatusOr<raft::Index> PersistedIndex() const override {
    MutexLock lock(mu_);
    return disk_.applied.index;
  }
  absl::Status Flush() override;

  std::vector<std::string> values() const {
    MutexLock lock(mu_);
    return state_.values;
  }
  void set_apply_fault(Fault fault) { apply_fault_ = std::move(fault); }
  void set_flush_fault(Fault fault) { flush_fault_ = std::move(fault); }

 private:
  mutable Mutex mu_;
  ListDisk& disk_ ABSL_GUARDED_BY(mu_);
  ListDisk state_ ABSL_GUARDED_BY(mu_);
  Fault apply_fault_;
  Fault flush_fault_;
};

}  // namespace kdb::testing

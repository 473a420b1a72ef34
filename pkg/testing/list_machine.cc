#include "pkg/testing/list_machine.h"

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::testing {

absl::Status ListMachine::Apply(std::span<const raftnode::CommittedEntry> entries,
                                std::vector<Payload>* results) {
  if (apply_fault_) KDB_RETURN_IF_ERROR(apply_fault_());
  MutexLock lock(mu_);
  for (const auto& [entry, membership] : entries) {
    KDB_CHECK(entry.index == state_.applied.index + 1, "{} after {}", entry.index,
              state_.applied.index);
    KDB_CHECK(entry.term >= state_.applied.term, "terms go back at {}", entry.index);
    state_.applied.index = entry.index;
    state_.applied.term = entry.term;
    if (membership != nullptr) state_.applied.membership = *membership;
    bool value = entry.type == raft::EntryType::kNormal && !entry.data.empty();
    if (value) state_.values.emplace_back(entry.data.view());
    results->push_back(value ? Payload(std::to_string(state_.values.size())) : Payload());
  }
  return absl::OkStatus();
}

absl::Status ListMachine::Flush() {
  if (flush_fault_) KDB_RETURN_IF_ERROR(flush_fault_());
  MutexLock lock(mu_);
  disk_ = state_;
  return absl::OkStatus();
}

}  // namespace kdb::testing

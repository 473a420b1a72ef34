#include "pkg/raftnode/start_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "pkg/base/status.h"

namespace kdb::raftnode {
namespace {

constexpr std::string_view kWhatToDo =
    "This replica does not vote or serve, for it may have forgotten what it promised. If the rest "
    "of the group has a majority, replace it by a new member: start a server on an empty data "
    "directory and run kdbctl member replace. Keep this directory until the group is healthy.";

absl::Status Damaged(const std::string& wal_dir, const std::string& what) {
  return absl::DataLossError(
      fmt::format("raft log {} does not fit the applied state: {}. {}", wal_dir, what, kWhatToDo));
}

absl::Status CheckApplied(const wal::Wal& log, const wal::Recovered& recovered,
                          const AppliedState& applied, const std::string& wal_dir) {
  if (applied.index > recovered.last_index) {
    return Damaged(
        wal_dir,
        fmt::format("the log ends at index {}, below the applied index {}: entries are missing",
                    recovered.last_index, applied.index));
  }
  if (applied.index == 0 && recovered.first_index > 1) {
    return Damaged(wal_dir, fmt::format("the state is empty, but the log begins at index {}: the "
                                        "state was removed or lost, with entries that the log has "
                                        "no more",
                                        recovered.first_index));
  }
  if (applied.index + 1 < recovered.first_index) {
    return Damaged(wal_dir,
                   fmt::format("the log begins at index {}, but the state is at {}: entries "
                               "between them are missing",
                               recovered.first_index, applied.index));
  }
  std::optional<raft::Term> term = log.TermAt(applied.index);
  if (term.value_or(0) == applied.term) return absl::OkStatus();
  return Damaged(wal_dir,
                 fmt::format("index {} has term {} in the log and was applied with term {}",
                             applied.index, term.value_or(0), applied.term));
}

}  // namespace

absl::StatusOr<StartPoint> CheckStart(const wal::Wal& log, const wal::Recovered& recovered,
                                      const AppliedState& applied, const Membership& birth,
                                      const std::string& wal_dir) {
  KDB_RETURN_IF_ERROR(CheckApplied(log, recovered, applied, wal_dir));
  StartPoint start;
  start.membership = applied.membership.conf.voters.empty() ? birth : applied.membership;
  raft::Initial& initial = start.initial;
  initial.hard_state = recovered.hard_state;
  // The commit index is written without a sync of its own: it may lag behind what was applied, and
  // after a torn tail run ahead of entries that nobody counted.
  initial.hard_state.commit =
      std::clamp(recovered.hard_state.commit, applied.index, recovered.last_index);
  initial.applied = applied.index;
  initial.conf = start.membership.conf;
  return start;
}

}  // namespace kdb::raftnode

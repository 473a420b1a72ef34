#include "pkg/snapshot/engine_copy.h"

#include <fmt/format.h>

#include "pkg/base/status.h"
#include "pkg/storage/system_record.h"

namespace kdb::snapshot {

absl::StatusOr<raftpb::SnapshotMeta> CopyEngine(storage::Engine& engine, const std::string& dir) {
  KDB_RETURN_IF_ERROR(engine.Checkpoint(dir));
  // Entries are applied meanwhile: only the copy itself knows how far it goes.
  KDB_ASSIGN_OR_RETURN(auto copy, engine.OpenCopy(dir));
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadSystemRecord(*copy));
  raftpb::SnapshotMeta meta;
  meta.set_index(record.applied_index);
  meta.set_term(record.applied_term);
  return meta;
}

absl::Status VerifyCopy(const storage::Engine& engine, const std::string& dir,
                        const raftpb::SnapshotMeta& meta) {
  KDB_ASSIGN_OR_RETURN(auto copy, engine.OpenCopy(dir));
  KDB_RETURN_IF_ERROR(copy->Verify());
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadSystemRecord(*copy));
  if (record.applied_index == meta.index() && record.applied_term == meta.term()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      fmt::format("{} holds the state of entry {} of term {}, not of {} of {}", dir,
                  record.applied_index, record.applied_term, meta.index(), meta.term()));
}

}  // namespace kdb::snapshot

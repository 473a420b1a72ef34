#include "pkg/raftnode/quarantine.h"

#include <fmt/format.h>

#include "pkg/base/status.h"
#include "pkg/env/sealed_file.h"

namespace kdb::raftnode {
namespace {

constexpr uint8_t kVersion = 1;

std::string PathIn(const std::string& dir) { return dir + "/quarantine"; }

}  // namespace

absl::Status Quarantine(FileSystem& fs, const std::string& dir, const absl::Status& why) {
  KDB_ASSIGN_OR_RETURN(bool already, fs.Exists(PathIn(dir)));
  if (already) return absl::OkStatus();
  return WriteSealed(fs, PathIn(dir), kVersion, std::string(why.message()));
}

absl::Status CheckNotQuarantined(FileSystem& fs, const std::string& dir) {
  KDB_ASSIGN_OR_RETURN(bool quarantined, fs.Exists(PathIn(dir)));
  if (!quarantined) return absl::OkStatus();
  absl::StatusOr<std::string> why = ReadSealed(fs, PathIn(dir), kVersion);
  return absl::DataLossError(fmt::format(
      "directory {} is in quarantine: {}. This replica does not vote or serve, for its data cannot "
      "be trusted. If the rest of the group has a majority, start a server on an empty data "
      "directory and let it take this member's place: kdbctl member replace. Keep this directory "
      "until the group is healthy",
      dir, why.ok() ? *why : "the reason cannot be read"));
}

void TellQuarantine(const absl::Status& why, obs::Registry& metrics, const obs::Logger& logger) {
  metrics.AddGauge("kdb_quarantined", "1: the data directory is damaged, and no member runs on it")
      .Set(why.ok() ? 0 : 1);
  if (!why.ok()) logger->error("{}", std::string(why.message()));
}

}  // namespace kdb::raftnode

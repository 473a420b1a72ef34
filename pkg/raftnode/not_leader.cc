#include "pkg/raftnode/not_leader.h"

#include <fmt/format.h>

#include "absl/strings/cord.h"

namespace kdb::raftnode {
namespace {

constexpr char kLeaderPayload[] = "kdb-leader";

}  // namespace

absl::Status NotLeader(std::string_view group, const std::string& leader_address) {
  if (leader_address.empty()) {
    return absl::UnavailableError(fmt::format("{} has no leader that this server knows", group));
  }
  absl::Status status = absl::FailedPreconditionError(
      fmt::format("not the leader of {}: {} is", group, leader_address));
  status.SetPayload(kLeaderPayload, absl::Cord(leader_address));
  return status;
}

std::string LeaderOf(const absl::Status& status) {
  auto payload = status.GetPayload(kLeaderPayload);
  return payload ? std::string(*payload) : "";
}

}  // namespace kdb::raftnode

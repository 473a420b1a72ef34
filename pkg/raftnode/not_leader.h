// The answer of a member that is asked for what only its group's leader does.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kdb::raftnode {

// FAILED_PRECONDITION with the leader's address for LeaderOf; UNAVAILABLE when no leader is known.
// `group`: "group 7".
absl::Status NotLeader(std::string_view group, const std::string& leader_address);
// The address in an error of NotLeader; empty in others.
std::string LeaderOf(const absl::Status& status);

}  // namespace kdb::raftnode

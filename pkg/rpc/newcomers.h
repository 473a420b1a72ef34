// How a group's leader speaks to servers that are no members yet: by their Admin service.
#pragma once

#include <string>

#include "pkg/raftnode/member_keeper.h"

namespace kdb::rpc {

// Thread-safe. Every call has a connection of its own: a server that was just started is found at
// once, whatever was at its address before.
class AdminNewcomers final : public raftnode::Newcomers {
 public:
  absl::StatusOr<raftnode::Newcomer> Identify(const std::string& address) override;
  absl::Status AcceptBirth(const std::string& address,
                           const catalog::BirthCertificate& certificate) override;
};

}  // namespace kdb::rpc

// kdbctl member: who the members of a group are, and how that changes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/ctl/cluster.h"
#include "pkg/rpc/admin_client.h"

namespace kdb::ctl {

struct MemberArgs {
  std::string server;      // any member of the group, asked without meta; empty: meta is asked
  std::string cluster_id;  // servers of another cluster are refused; empty: not checked
  bool wait = false;       // until the new member votes
};

// As `member list` prints it.
std::string FormatMembers(const memberpb::ListMembersReply& group, Output output);

// Each prints to stdout on OK. Errors are the leader's: proto/member.proto. DEADLINE_EXCEEDED:
// nobody answered, or the member that is waited for does not vote yet; the message says which.
class MemberCommands {
 public:
  MemberCommands(const ClusterOptions& options, const MemberArgs& args);

  absl::Status List(uint64_t gid);
  // The meta group and all others.
  absl::Status ListAll();
  absl::Status Add(uint64_t gid, const std::string& address);
  absl::Status Replace(uint64_t gid, uint64_t id, const std::string& address);
  absl::Status Remove(uint64_t gid, uint64_t id);
  absl::Status Update(uint64_t gid, uint64_t id, const std::string& address);

 private:
  using Clock = std::chrono::steady_clock;

  memberpb::ChangeMembersRequest Request(uint64_t gid) const;
  absl::StatusOr<uint64_t> Change(const memberpb::ChangeMembersRequest& request);
  absl::StatusOr<memberpb::ListMembersReply> Ask(uint64_t gid);
  // Asks the server, then whom it names, as often as it says that a repeat makes sense.
  absl::Status AskServer(
      absl::FunctionRef<absl::Status(const std::string& address, std::string* hint)> ask) const;
  // Says that the member comes, or that it has come.
  absl::Status Come(const memberpb::ChangeMembersRequest& request);
  absl::Status WaitForVoter(uint64_t gid, uint64_t id);
  absl::Status Say(uint64_t id, const std::string& text) const;
  Clock::duration Left() const;

  const ClusterOptions options_;
  const MemberArgs args_;
  const Clock::time_point deadline_;
  rpc::MetaClient meta_;
  rpc::AdminClient admin_;
};

}  // namespace kdb::ctl

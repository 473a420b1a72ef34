// Calls to the Admin service of kv and meta servers: one server, or several at once.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::rpc {

// Thread-safe; calls block for `timeout` at most. Errors name the server.
class AdminClient {
 public:
  using Timeout = std::chrono::milliseconds;
  template <typename Reply>
  using Replies = std::vector<absl::StatusOr<Reply>>;  // in the order of the addresses

  Replies<shardpb::IdentifyReply> Identify(const std::vector<std::string>& addresses,
                                           Timeout timeout);
  Replies<shardpb::AcceptBirthReply> AcceptBirth(const std::vector<std::string>& addresses,
                                                 const catalog::BirthCertificate& certificate,
                                                 Timeout timeout);
  Replies<shardpb::StatusReply> Status(const std::vector<std::string>& addresses, Timeout timeout);

  // `leader_hint` gets the leader's address when this server knows that it is another.
  absl::Status OwnSlots(const std::string& address, const shardpb::OwnSlotsRequest& request,
                        Timeout timeout, std::string* leader_hint);
  // At one server; AskLeader finds the right one.
  absl::Status ChangeMembers(const std::string& address,
                             const memberpb::ChangeMembersRequest& request, Timeout timeout,
                             memberpb::ChangeMembersReply* reply, std::string* leader_hint);
  absl::Status ListMembers(const std::string& address, const memberpb::ListMembersRequest& request,
                           Timeout timeout, memberpb::ListMembersReply* reply,
                           std::string* leader_hint);
  absl::Status TransferLeader(const std::string& address, uint64_t target, Timeout timeout,
                              std::string* leader_hint);
  absl::StatusOr<catalog::Catalog> Query(const std::string& address, Timeout timeout);
  absl::Status SetLogLevel(const std::string& address, const std::string& level, Timeout timeout);

 private:
  using Stub = shardpb::Admin::Stub;

  template <typename Reply, typename Request, typename Start>
  Replies<Reply> CallAll(const std::vector<std::string>& addresses, const Request& request,
                         Timeout timeout, Start start);
  std::shared_ptr<Stub> StubOf(const std::string& address);

  Mutex mu_;
  // Shared: a call goes on with its stub when the map is cleared. At most kMaxStubs.
  std::map<std::string, std::shared_ptr<Stub>> stubs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rpc

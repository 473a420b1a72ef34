// Calls the meta group: tries its servers in turn, follows the leader hints of those that do not
// lead, backs off, and gives up at the caller's deadline. Every call of the Meta service is
// idempotent, so a call is tried again whenever its outcome is not known.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "proto/meta.grpc.pb.h"

namespace kdb::rpc {

// Where the meta servers are, as a catalog says.
std::vector<std::string> MetaServersOf(const catalog::Catalog& catalog);

// The seeds, then those of `learned` that are new.
std::vector<std::string> WithLearned(std::vector<std::string> seeds,
                                     const std::vector<std::string>& learned);

struct MetaClientOptions {
  std::vector<std::string> seeds;           // host:port of meta servers, at least one
  std::chrono::milliseconds attempt{3000};  // a server that is silent for so long is left
  std::chrono::milliseconds min_backoff{20};
  std::chrono::milliseconds max_backoff{1000};
};

// Thread-safe; calls block. Errors beside the service's own:
//   DEADLINE_EXCEEDED  `timeout` passed; the message has the last error of a server. The outcome is
//   not known. CANCELLED          Cancel was called
// All calls must have returned before the client is destroyed.
class MetaClient {
 public:
  using Timeout = std::chrono::milliseconds;

  MetaClient(MetaClientOptions options, Random random);
  ~MetaClient();

  // Any server may be asked: the first of `addresses` decides. Returns the cluster id.
  absl::StatusOr<std::string> Bootstrap(const std::vector<std::string>& addresses, Timeout timeout);
  absl::Status Register(uint64_t gid, const std::vector<std::string>& addresses, Timeout timeout);
  // Returns when the group has a leader.
  absl::Status Join(uint64_t gid, const std::vector<std::string>& addresses, Timeout timeout);
  absl::Status Leave(uint64_t gid, Timeout timeout);
  // Returns when the group serves the slots.
  absl::Status Move(uint64_t gid, const std::vector<uint32_t>& slots, Timeout timeout);
  // gid 0: the meta group. `target`: a member's Raft id.
  absl::Status TransferLeader(uint64_t gid, uint64_t target, Timeout timeout);
  // Errors of the group's leader, as proto/member.proto says.
  absl::StatusOr<memberpb::ChangeMembersReply> ChangeMembers(
      const memberpb::ChangeMembersRequest& request, Timeout timeout);
  absl::StatusOr<memberpb::ListMembersReply> ListMembers(
      const memberpb::ListMembersRequest& request, Timeout timeout);
  // From any server: the leader if it is known and answers.
  absl::StatusOr<metapb::QueryReply> Query(Timeout timeout);
  absl::StatusOr<metapb::ReportReply> Report(const metapb::ReportRequest& request, Timeout timeout);

  // Beside the seeds, these servers are tried from now on.
  void Learn(const std::vector<std::string>& servers);
  // Ends calls under way and all later ones with CANCELLED.
  void Cancel();

 private:
  class Call;  // one call's context, for Cancel
  using Clock = std::chrono::steady_clock;
  using Stub = metapb::Meta::Stub;

  template <typename Request, typename Reply>
  absl::StatusOr<Reply> Run(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                         Reply*),
                            const Request& request, Timeout timeout);
  // One try at the present server; `hint`: the leader's address as that server knows it.
  template <typename Request, typename Reply>
  absl::Status Try(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                   const Request& request, Clock::time_point deadline, Reply* reply,
                   std::string* hint);

  std::shared_ptr<Stub> Present();
  void Follow(const std::string& address);
  void NextServer();
  // False when cancelled meanwhile.
  bool Pause(Clock::duration pause, Clock::time_point deadline);
  Clock::duration Backoff(int failures);

  const MetaClientOptions options_;

  Mutex mu_;
  CondVar cancel_cv_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  Random random_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> servers_ ABSL_GUARDED_BY(mu_);  // the seeds, then those learned
  size_t next_ ABSL_GUARDED_BY(mu_) = 0;
  std::string present_ ABSL_GUARDED_BY(mu_);
  // Shared: a call goes on with its stub while another caller changes the server. At most
  // kMaxStubs.
  std::map<std::string, std::shared_ptr<Stub>> stubs_ ABSL_GUARDED_BY(mu_);
  std::vector<grpc::ClientContext*> running_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rpc

#include "pkg/rpc/meta_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {
namespace {

constexpr size_t kMaxStubs = 16;
// Hints followed without a pause: during an election servers may point at each other.
constexpr int kFreeHints = 2;

bool MayRetry(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:  // by the server, which is stopping
    case absl::StatusCode::kInternal:   // gRPC's words for a connection
    case absl::StatusCode::kUnknown:    // that broke in the middle
      return true;
    default:
      return false;
  }
}

absl::Status Cancelled() { return absl::CancelledError("the call to meta was cancelled"); }

}  // namespace

std::vector<std::string> MetaServersOf(const catalog::Catalog& catalog) {
  std::vector<std::string> servers;
  for (const catalog::Member& member : catalog.meta().members()) {
    servers.push_back(member.address());
  }
  return servers;
}

std::vector<std::string> WithLearned(std::vector<std::string> seeds,
                                     const std::vector<std::string>& learned) {
  for (const std::string& server : learned) {
    if (std::find(seeds.begin(), seeds.end(), server) == seeds.end()) seeds.push_back(server);
  }
  return seeds;
}

class MetaClient::Call {
 public:
  Call(MetaClient& client, Clock::time_point deadline) : client_(client) {
    auto left = std::max(deadline - Clock::now(), Clock::duration::zero());
    context_.set_deadline(std::chrono::system_clock::now() + left);
    MutexLock lock(client_.mu_);
    client_.running_.push_back(&context_);
    if (client_.cancelled_) context_.TryCancel();
  }
  ~Call() {
    MutexLock lock(client_.mu_);
    std::erase(client_.running_, &context_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::ClientContext& context() { return context_; }

 private:
  MetaClient& client_;
  grpc::ClientContext context_;
};

MetaClient::MetaClient(MetaClientOptions options, Random random)
    : options_(std::move(options)), random_(random) {
  KDB_CHECK(!options_.seeds.empty(), "a meta client needs a seed");
  MutexLock lock(mu_);
  servers_ = options_.seeds;
  // Clients start at different servers.
  next_ = random_.Uniform(servers_.size());
  present_ = servers_[next_];
}

MetaClient::~MetaClient() {
  MutexLock lock(mu_);
  KDB_CHECK(running_.empty(), "a meta client is destroyed during a call");
}

absl::StatusOr<std::string> MetaClient::Bootstrap(const std::vector<std::string>& addresses,
                                                  Timeout timeout) {
  metapb::BootstrapRequest request;
  request.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  KDB_ASSIGN_OR_RETURN(auto reply, (Run<metapb::BootstrapRequest, metapb::BootstrapReply>(
                                       &Stub::Bootstrap, request, timeout)));
  return reply.cluster_id();
}

absl::Status MetaClient::Register(uint64_t gid, const std::vector<std::string>& addresses,
                                  Timeout timeout) {
  metapb::RegisterRequest request;
  request.set_gid(gid);
  request.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  return Run<metapb::RegisterRequest, metapb::RegisterReply>(&Stub::Register, request, timeout)
      .status();
}

absl::Status MetaClient::Join(uint64_t gid, const std::vector<std::string>& addresses,
                              Timeout timeout) {
  metapb::JoinRequest request;
  request.set_gid(gid);
  request.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  return Run<metapb::JoinRequest, metapb::JoinReply>(&Stub::Join, request, timeout).status();
}

absl::Status MetaClient::Leave(uint64_t gid, Timeout timeout) {
  metapb::LeaveRequest request;
  request.set_gid(gid);
  return Run<metapb::LeaveRequest, metapb::LeaveReply>(&Stub::Leave, request, timeout).status();
}

absl::Status MetaClient::Move(uint64_t gid, const std::vector<uint32_t>& slots, Timeout timeout) {
  metapb::MoveRequest request;
  request.set_gid(gid);
  request.mutable_slots()->Assign(slots.begin(), slots.end());
  return Run<metapb::MoveRequest, metapb::MoveReply>(&Stub::Move, request, timeout).status();
}

absl::Status MetaClient::TransferLeader(uint64_t gid, uint64_t target, Timeout timeout) {
  metapb::TransferLeaderRequest request;
  request.set_gid(gid);
  request.set_target(target);
  return Run<metapb::TransferLeaderRequest, metapb::TransferLeaderReply>(&Stub::TransferLeader,
                                                                         request, timeout)
      .status();
}

absl::StatusOr<memberpb::ChangeMembersReply> MetaClient::ChangeMembers(
    const memberpb::ChangeMembersRequest& request, Timeout timeout) {
  return Run<memberpb::ChangeMembersRequest, memberpb::ChangeMembersReply>(&Stub::ChangeMembers,
                                                                           request, timeout);
}

absl::StatusOr<memberpb::ListMembersReply> MetaClient::ListMembers(
    const memberpb::ListMembersRequest& request, Timeout timeout) {
  return Run<memberpb::ListMembersRequest, memberpb::ListMembersReply>(&Stub::ListMembers, request,
                                                                       timeout);
}

absl::StatusOr<metapb::QueryReply> MetaClient::Query(Timeout timeout) {
  return Run<metapb::QueryRequest, metapb::QueryReply>(&Stub::Query, {}, timeout);
}

absl::StatusOr<metapb::ReportReply> MetaClient::Report(const metapb::ReportRequest& request,
                                                       Timeout timeout) {
  return Run<metapb::ReportRequest, metapb::ReportReply>(&Stub::Report, request, timeout);
}

void MetaClient::Learn(const std::vector<std::string>& servers) {
  MutexLock lock(mu_);
  servers_ = WithLearned(options_.seeds, servers);
}

void MetaClient::Cancel() {
  MutexLock lock(mu_);
  cancelled_ = true;
  for (grpc::ClientContext* context : running_) context->TryCancel();
  cancel_cv_.NotifyAll();
}

template <typename Request, typename Reply>
absl::StatusOr<Reply> MetaClient::Run(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                   const Request&, Reply*),
                                      const Request& request, Timeout timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  int hints = 0;
  for (int failures = 1;; ++failures) {
    Reply reply;
    std::string hint;
    absl::Status status =
        Try(method, request, std::min(deadline, Clock::now() + options_.attempt), &reply, &hint);
    if (status.ok()) return reply;
    if (hint.empty() && !MayRetry(status)) return status;
    if (hint.empty()) {
      NextServer();
    } else {
      Follow(hint);
    }
    bool free = !hint.empty() && ++hints <= kFreeHints;
    if (!free && !Pause(Backoff(failures), deadline)) return Cancelled();
    if (Clock::now() >= deadline) {
      return absl::DeadlineExceededError(
          fmt::format("no answer from meta within {} ms; last error: {}", timeout.count(),
                      std::string_view(status.message().data(), status.message().size())));
    }
  }
}

template <typename Request, typename Reply>
absl::Status MetaClient::Try(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Reply*),
                             const Request& request, Clock::time_point deadline, Reply* reply,
                             std::string* hint) {
  std::shared_ptr<Stub> stub = Present();
  Call call(*this, deadline);
  grpc::Status status = (stub.get()->*method)(&call.context(), request, reply);
  if (status.error_code() == grpc::StatusCode::FAILED_PRECONDITION) {
    *hint = LeaderHint(call.context());
  }
  return FromGrpc(status);
}

std::shared_ptr<MetaClient::Stub> MetaClient::Present() {
  MutexLock lock(mu_);
  auto it = stubs_.find(present_);
  if (it == stubs_.end()) {
    if (stubs_.size() >= kMaxStubs) stubs_.clear();
    it = stubs_.emplace(present_, metapb::Meta::NewStub(NewChannel(present_, "meta"))).first;
  }
  return it->second;
}

void MetaClient::Follow(const std::string& address) {
  MutexLock lock(mu_);
  present_ = address;
}

void MetaClient::NextServer() {
  MutexLock lock(mu_);
  next_ = (next_ + 1) % servers_.size();
  present_ = servers_[next_];
}

bool MetaClient::Pause(Clock::duration pause, Clock::time_point deadline) {
  const Clock::time_point until = std::min(deadline, Clock::now() + pause);
  MutexLock lock(mu_);
  while (!cancelled_ && Clock::now() < until) cancel_cv_.WaitUntil(mu_, until);
  return !cancelled_;
}

MetaClient::Clock::duration MetaClient::Backoff(int failures) {
  // A round over all servers is free of growth: one of them leads, most of the time.
  MutexLock lock(mu_);
  int rounds = failures / static_cast<int>(servers_.size());
  auto bound = options_.min_backoff * (1 << std::min(rounds, 10));
  bound = std::min<std::chrono::milliseconds>(bound, options_.max_backoff);
  return std::chrono::microseconds(bound.count() * (500 + random_.Uniform(501)));
}

}  // namespace kdb::rpc

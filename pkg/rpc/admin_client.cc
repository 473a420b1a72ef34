#include "pkg/rpc/admin_client.h"

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {
namespace {

constexpr size_t kMaxStubs = 256;

absl::Status Named(const std::string& address, const grpc::Status& status) {
  absl::Status s = FromGrpc(status);
  if (s.ok()) return s;
  return absl::Status(s.code(), fmt::format("server {}: {}", address, std::string(s.message())));
}

void SetTimeout(grpc::ClientContext& context, AdminClient::Timeout timeout) {
  context.set_deadline(std::chrono::system_clock::now() + timeout);
}

// Counts answers down.
class Latch {
 public:
  explicit Latch(size_t count) : count_(count) {}
  void Done() {
    // Under the lock: the waiter destroys the latch when it sees 0.
    MutexLock lock(mu_);
    if (--count_ == 0) zero_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mu_);
    while (count_ > 0) zero_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar zero_;
  size_t count_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

template <typename Reply, typename Request, typename Start>
AdminClient::Replies<Reply> AdminClient::CallAll(const std::vector<std::string>& addresses,
                                                 const Request& request, Timeout timeout,
                                                 Start start) {
  struct Call {
    std::shared_ptr<Stub> stub;
    grpc::ClientContext context;
    Reply reply;
    grpc::Status status;
  };
  std::deque<Call> calls;
  Latch latch(addresses.size());
  for (const std::string& address : addresses) {
    Call& call = calls.emplace_back();
    call.stub = StubOf(address);
    SetTimeout(call.context, timeout);
    start(*call.stub->async(), &call.context, &request, &call.reply,
          [&call, &latch](grpc::Status status) {
            call.status = std::move(status);
            latch.Done();
          });
  }
  latch.Wait();
  Replies<Reply> replies;
  for (size_t i = 0; i < addresses.size(); ++i) {
    absl::Status status = Named(addresses[i], calls[i].status);
    if (status.ok()) {
      replies.emplace_back(std::move(calls[i].reply));
    } else {
      replies.emplace_back(std::move(status));
    }
  }
  return replies;
}

AdminClient::Replies<shardpb::IdentifyReply> AdminClient::Identify(
    const std::vector<std::string>& addresses, Timeout timeout) {
  return CallAll<shardpb::IdentifyReply>(
      addresses, shardpb::IdentifyRequest(), timeout,
      [](auto& stub, auto* context, auto* request, auto* reply, auto done) {
        stub.Identify(context, request, reply, std::move(done));
      });
}

AdminClient::Replies<shardpb::AcceptBirthReply> AdminClient::AcceptBirth(
    const std::vector<std::string>& addresses, const catalog::BirthCertificate& certificate,
    Timeout timeout) {
  shardpb::AcceptBirthRequest request;
  *request.mutable_certificate() = certificate;
  return CallAll<shardpb::AcceptBirthReply>(
      addresses, request, timeout,
      [](auto& stub, auto* context, auto* req, auto* reply, auto done) {
        stub.AcceptBirth(context, req, reply, std::move(done));
      });
}

AdminClient::Replies<shardpb::StatusReply> AdminClient::Status(
    const std::vector<std::string>& addresses, Timeout timeout) {
  return CallAll<shardpb::StatusReply>(
      addresses, shardpb::StatusRequest(), timeout,
      [](auto& stub, auto* context, auto* request, auto* reply, auto done) {
        stub.Status(context, request, reply, std::move(done));
      });
}

absl::Status AdminClient::OwnSlots(const std::string& address,
                                   const shardpb::OwnSlotsRequest& request, Timeout timeout,
                                   std::string* leader_hint) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  shardpb::OwnSlotsReply reply;
  grpc::Status status = StubOf(address)->OwnSlots(&context, request, &reply);
  *leader_hint = LeaderHint(context);
  return Named(address, status);
}

absl::Status AdminClient::ChangeMembers(const std::string& address,
                                        const memberpb::ChangeMembersRequest& request,
                                        Timeout timeout, memberpb::ChangeMembersReply* reply,
                                        std::string* leader_hint) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  grpc::Status status = StubOf(address)->ChangeMembers(&context, request, reply);
  *leader_hint = LeaderHint(context);
  return Named(address, status);
}

absl::Status AdminClient::ListMembers(const std::string& address,
                                      const memberpb::ListMembersRequest& request, Timeout timeout,
                                      memberpb::ListMembersReply* reply, std::string* leader_hint) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  grpc::Status status = StubOf(address)->ListMembers(&context, request, reply);
  *leader_hint = LeaderHint(context);
  return Named(address, status);
}

absl::Status AdminClient::TransferLeader(const std::string& address, uint64_t target,
                                         Timeout timeout, std::string* leader_hint) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  shardpb::TransferLeaderRequest request;
  request.set_target(target);
  shardpb::TransferLeaderReply reply;
  grpc::Status status = StubOf(address)->TransferLeader(&context, request, &reply);
  *leader_hint = LeaderHint(context);
  return Named(address, status);
}

absl::StatusOr<catalog::Catalog> AdminClient::Query(const std::string& address, Timeout timeout) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  shardpb::QueryReply reply;
  KDB_RETURN_IF_ERROR(Named(address, StubOf(address)->Query(&context, {}, &reply)));
  return std::move(*reply.mutable_catalog());
}

absl::Status AdminClient::SetLogLevel(const std::string& address, const std::string& level,
                                      Timeout timeout) {
  grpc::ClientContext context;
  SetTimeout(context, timeout);
  shardpb::SetLogLevelRequest request;
  request.set_level(level);
  shardpb::SetLogLevelReply reply;
  return Named(address, StubOf(address)->SetLogLevel(&context, request, &reply));
}

std::shared_ptr<AdminClient::Stub> AdminClient::StubOf(const std::string& address) {
  MutexLock lock(mu_);
  auto it = stubs_.find(address);
  if (it == stubs_.end()) {
    if (stubs_.size() >= kMaxStubs) stubs_.clear();
    it = stubs_.emplace(address, shardpb::Admin::NewStub(NewChannel(address, "admin"))).first;
  }
  return it->second;
}

}  // namespace kdb::rpc

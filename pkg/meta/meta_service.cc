#include "pkg/meta/meta_service.h"

#include <algorithm>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/meta/watch_stream.h"
#include "pkg/raftnode/not_leader.h"
#include "pkg/rpc/channel.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::seconds kMaxCall{30};
constexpr std::chrono::milliseconds kMaxMargin{500};

// A little before the caller's, so that it gets an answer that says what was waited for.
SteadyTime DeadlineOf(const grpc::CallbackServerContext& context) {
  using std::chrono::steady_clock;
  const auto left = std::min<std::chrono::nanoseconds>(
      context.deadline() - std::chrono::system_clock::now(), kMaxCall);
  return steady_clock::now() + left - std::min<std::chrono::nanoseconds>(left / 5, kMaxMargin);
}

void Finish(grpc::ServerUnaryReactor& reactor, grpc::CallbackServerContext& context,
            const absl::Status& status) {
  if (!status.ok()) rpc::SetLeaderHint(context, raftnode::LeaderOf(status));
  reactor.Finish(rpc::ToGrpc(status));
}

}  // namespace

grpc::ServerUnaryReactor* MetaService::RunOn(WorkerPool& pool, grpc::CallbackServerContext* context,
                                             Body body) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const SteadyTime deadline = DeadlineOf(*context);
  bool queued = pool.Post([reactor, context, deadline, body = std::move(body)]() mutable {
    // Nobody waits for it any more.
    absl::Status status =
        context->IsCancelled() ? absl::CancelledError("cancelled by the caller") : body(deadline);
    Finish(*reactor, *context, status);
  });
  if (!queued) {
    Finish(*reactor, *context, absl::ResourceExhaustedError("too many calls wait for this server"));
  }
  return reactor;
}

grpc::ServerUnaryReactor* MetaService::Bootstrap(grpc::CallbackServerContext* context,
                                                 const metapb::BootstrapRequest* request,
                                                 metapb::BootstrapReply* reply) {
  return RunOn(parts_.long_calls, context, [this, request, reply](SteadyTime deadline) {
    auto cluster = parts_.founding.Bootstrap(
        {request->addresses().begin(), request->addresses().end()}, deadline);
    if (cluster.ok()) reply->set_cluster_id(*cluster);
    return cluster.status();
  });
}

grpc::ServerUnaryReactor* MetaService::Register(grpc::CallbackServerContext* context,
                                                const metapb::RegisterRequest* request,
                                                metapb::RegisterReply*) {
  return RunOn(parts_.long_calls, context, [this, request](SteadyTime deadline) {
    return parts_.operations.Register(*request, deadline);
  });
}

grpc::ServerUnaryReactor* MetaService::Join(grpc::CallbackServerContext* context,
                                            const metapb::JoinRequest* request,
                                            metapb::JoinReply*) {
  return RunOn(parts_.long_calls, context, [this, request](SteadyTime deadline) {
    return parts_.operations.Join(*request, deadline);
  });
}

grpc::ServerUnaryReactor* MetaService::Leave(grpc::CallbackServerContext* context,
                                             const metapb::LeaveRequest* request,
                                             metapb::LeaveReply*) {
  return RunOn(parts_.long_calls, context, [this, request](SteadyTime deadline) {
    return parts_.operations.Leave(*request, deadline);
  });
}

grpc::ServerUnaryReactor* MetaService::Move(grpc::CallbackServerContext* context,
                                            const metapb::MoveRequest* request,
                                            metapb::MoveReply*) {
  return RunOn(parts_.long_calls, context, [this, request](SteadyTime deadline) {
    return parts_.operations.Move(*request, deadline);
  });
}

grpc::ServerUnaryReactor* MetaService::TransferLeader(grpc::CallbackServerContext* context,
                                                      const metapb::TransferLeaderRequest* request,
                                                      metapb::TransferLeaderReply*) {
  return RunOn(parts_.long_calls, context, [this, request](SteadyTime deadline) {
    return parts_.operations.TransferLeader(*request, deadline);
  });
}

grpc::ServerUnaryReactor* MetaService::ChangeMembers(grpc::CallbackServerContext* context,
                                                     const memberpb::ChangeMembersRequest* request,
                                                     memberpb::ChangeMembersReply* reply) {
  return RunOn(parts_.long_calls, context, [this, request, reply](SteadyTime deadline) {
    return parts_.operations.ChangeMembers(*request, deadline, reply);
  });
}

grpc::ServerUnaryReactor* MetaService::ListMembers(grpc::CallbackServerContext* context,
                                                   const memberpb::ListMembersRequest* request,
                                                   memberpb::ListMembersReply* reply) {
  return RunOn(parts_.long_calls, context, [this, request, reply](SteadyTime deadline) {
    return parts_.operations.ListMembers(*request, deadline, reply);
  });
}

grpc::ServerUnaryReactor* MetaService::Report(grpc::CallbackServerContext* context,
                                              const metapb::ReportRequest* request,
                                              metapb::ReportReply* reply) {
  return RunOn(parts_.short_calls, context, [this, request, reply](SteadyTime deadline) {
    auto version = parts_.operations.Report(*request, deadline);
    if (version.ok()) reply->set_catalog_version(*version);
    return version.status();
  });
}

grpc::ServerUnaryReactor* MetaService::Query(grpc::CallbackServerContext* context,
                                             const metapb::QueryRequest*,
                                             metapb::QueryReply* reply) {
  return RunOn(parts_.short_calls, context,
               [this, reply](SteadyTime deadline) { return FillQuery(deadline, reply); });
}

grpc::ServerWriteReactor<metapb::WatchReply>* MetaService::Watch(
    grpc::CallbackServerContext*, const metapb::WatchRequest* request) {
  return WatchStream::Start(parts_.hub, request->version());
}

absl::Status MetaService::FillQuery(SteadyTime deadline, metapb::QueryReply* reply) {
  KDB_RETURN_IF_ERROR(parts_.hub.stopped());
  if (parts_.log.IsLeader()) KDB_RETURN_IF_ERROR(parts_.log.Barrier(deadline));
  StatePtr state = parts_.hub.Latest();
  if (state == nullptr) return absl::UnavailableError("this meta server is not bootstrapped");
  const CatalogLog::Leadership leadership = parts_.log.leadership();
  *reply->mutable_catalog() = state->catalog();
  catalog::Group* meta = reply->mutable_catalog()->mutable_meta();
  // Known to every member by Raft itself: not in the log.
  meta->set_leader(leadership.leader);
  meta->set_leader_term(leadership.term);
  std::vector<bool> running =
      parts_.probe.Running({meta->members().begin(), meta->members().end()});
  for (int i = 0; i < meta->members_size(); ++i) {
    metapb::MetaServer* server = reply->add_servers();
    server->set_id(meta->members(i).id());
    server->set_address(meta->members(i).address());
    server->set_running(running[i]);
    // A leader that does not answer is none for the reader.
    server->set_leader(running[i] && meta->members(i).id() == leadership.leader);
  }
  return absl::OkStatus();
}

}  // namespace kdb::meta

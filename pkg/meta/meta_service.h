// The gRPC Meta service: turns calls into operations on worker threads, and their errors into
// gRPC's, with the leader's address where the caller should go on.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/functional/any_invocable.h"
#include "pkg/meta/catalog_log.h"
#include "pkg/meta/founding.h"
#include "pkg/meta/operations.h"
#include "pkg/meta/peer_probe.h"
#include "pkg/meta/worker_pool.h"
#include "pkg/obs/metrics.h"
#include "proto/meta.grpc.pb.h"

namespace kdb::meta {

class MetaService final : public metapb::Meta::CallbackService {
 public:
  // All references outlive the service; the pools are stopped after the gRPC server. `long_calls`:
  // those that wait for other servers; `short_calls`: Query and Report.
  struct Parts {
    Founding& founding;
    Operations& operations;
    PeerProbe& probe;
    CatalogLog& log;
    StateHub& hub;
    WorkerPool& long_calls;
    WorkerPool& short_calls;
  };
  explicit MetaService(const Parts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Bootstrap(grpc::CallbackServerContext* context,
                                      const metapb::BootstrapRequest* request,
                                      metapb::BootstrapReply* reply) override;
  grpc::ServerUnaryReactor* Register(grpc::CallbackServerContext* context,
                                     const metapb::RegisterRequest* request,
                                     metapb::RegisterReply* reply) override;
  grpc::ServerUnaryReactor* Join(grpc::CallbackServerContext* context,
                                 const metapb::JoinRequest* request,
                                 metapb::JoinReply* reply) override;
  grpc::ServerUnaryReactor* Leave(grpc::CallbackServerContext* context,
                                  const metapb::LeaveRequest* request,
                                  metapb::LeaveReply* reply) override;
  grpc::ServerUnaryReactor* Move(grpc::CallbackServerContext* context,
                                 const metapb::MoveRequest* request,
                                 metapb::MoveReply* reply) override;
  grpc::ServerUnaryReactor* Query(grpc::CallbackServerContext* context,
                                  const metapb::QueryRequest* request,
                                  metapb::QueryReply* reply) override;
  grpc::ServerWriteReactor<metapb::WatchReply>* Watch(grpc::CallbackServerContext* context,
                                                      const metapb::WatchRequest* request) override;
  grpc::ServerUnaryReactor* TransferLeader(grpc::CallbackServerContext* context,
                                           const metapb::TransferLeaderRequest* request,
                                           metapb::TransferLeaderReply* reply) override;
  grpc::ServerUnaryReactor* ChangeMembers(grpc::CallbackServerContext* context,
                                          const memberpb::ChangeMembersRequest* request,
                                          memberpb::ChangeMembersReply* reply) override;
  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext* context,
                                        const memberpb::ListMembersRequest* request,
                                        memberpb::ListMembersReply* reply) override;
  grpc::ServerUnaryReactor* Report(grpc::CallbackServerContext* context,
                                   const metapb::ReportRequest* request,
                                   metapb::ReportReply* reply) override;

 private:
  using Body = absl::AnyInvocable<absl::Status(SteadyTime deadline)>;

  static grpc::ServerUnaryReactor* RunOn(WorkerPool& pool, grpc::CallbackServerContext* context,
                                         Body body);
  absl::Status FillQuery(SteadyTime deadline, metapb::QueryReply* reply);

  const Parts parts_;
};

}  // namespace kdb::meta

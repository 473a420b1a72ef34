#include "pkg/rpc/member_admin.h"

#include <utility>

#include "pkg/raftnode/group_view.h"
#include "pkg/rpc/channel.h"

namespace kdb::rpc {
namespace {

// Who a directory is, in either reply that says so.
template <typename Reply>
void FillIdentity(const raftnode::Identity& identity, Reply* reply) {
  reply->set_uuid(identity.uuid);
  std::optional<catalog::Member> self = identity.self();
  if (!self.has_value()) return;
  reply->set_cluster_id(identity.birth->cluster_id());
  reply->set_gid(identity.birth->gid());
  reply->set_member_id(self->id());
}

void FillRaft(const raft::RaftStatus& raft, shardpb::StatusReply* reply) {
  reply->set_leader(raft.leader);
  reply->set_term(raft.term);
  reply->set_commit(raft.commit);
  reply->set_applied(raft.applied);
  reply->set_last_index(raft.last_index);
  reply->set_role(std::string(raftnode::RoleName(raft.role)));
  for (const raft::ProgressStatus& progress : raft.progress) {
    shardpb::MemberStatus* member = reply->add_progress();
    member->set_id(progress.id);
    member->set_match(progress.match);
    member->set_active(progress.recent_active);
    member->set_learner(progress.learner);
  }
}

}  // namespace

MemberAdmin::MemberAdmin(const raftnode::DataDirectory& directory, std::string version,
                         obs::Logger logger)
    : directory_(directory), version_(std::move(version)), logger_(std::move(logger)) {}

grpc::ServerUnaryReactor* MemberAdmin::Answer(grpc::CallbackServerContext* context,
                                              const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

absl::Status MemberAdmin::NoMember() const {
  absl::Status quarantined = directory_.Quarantined();
  return absl::FailedPreconditionError(
      quarantined.ok() ? "this server is passive: no birth certificate names it yet"
                       : quarantined.message());
}

grpc::ServerUnaryReactor* MemberAdmin::Identify(grpc::CallbackServerContext* context,
                                                const shardpb::IdentifyRequest*,
                                                shardpb::IdentifyReply* reply) {
  FillIdentity(directory_.identity(), reply);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MemberAdmin::Status(grpc::CallbackServerContext* context,
                                              const shardpb::StatusRequest*,
                                              shardpb::StatusReply* reply) {
  FillIdentity(directory_.identity(), reply);
  reply->set_version(version_);
  reply->set_role(directory_.Quarantined().ok() ? "passive" : "quarantined");
  if (auto raft = FillStatus(reply)) FillRaft(*raft, reply);
  return Answer(context, absl::OkStatus());
}

grpc::ServerUnaryReactor* MemberAdmin::SetLogLevel(grpc::CallbackServerContext* context,
                                                   const shardpb::SetLogLevelRequest* request,
                                                   shardpb::SetLogLevelReply*) {
  absl::Status status = obs::SetLogLevel(*logger_, request->level());
  if (status.ok()) logger_->info("log level is now {}", request->level());
  return Answer(context, status);
}

}  // namespace kdb::rpc

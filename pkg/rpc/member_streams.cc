#include "pkg/rpc/member_streams.h"

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::rpc {

MemberIdentity SelfOf(const raftnode::Identity& identity) {
  KDB_CHECK(identity.self().has_value(), "a passive server has no part in a group");
  return {.cluster_id = identity.birth->cluster_id(),
          .gid = identity.birth->gid(),
          .id = identity.self()->id(),
          .uuid = identity.uuid};
}

MemberStreams::MemberStreams(const TransportOptions& options, asio::io_context& io,
                             MemberIdentity self, RaftService& service, const obs::Logger& logger,
                             obs::Registry& metrics)
    : self_(std::move(self)),
      service_(service),
      transport_(options, io, self_, logger, metrics,
                 [this](raft::NodeId peer, const absl::Status& why) { OnUnreachable(peer, why); }) {
}

MemberStreams::~MemberStreams() { Close(); }

void MemberStreams::Open(raftnode::GroupView& group, raftnode::RaftNode& node) {
  group_ = &group;
  node_ = &node;
  {
    MutexLock lock(mu_);
    reachable_ = &node;
  }
  service_.Attach(this);
}

void MemberStreams::Close() {
  service_.Detach();
  MutexLock lock(mu_);
  reachable_ = nullptr;
}

absl::Status MemberStreams::Accept(const raftpb::Hello& hello) {
  KDB_RETURN_IF_ERROR(CheckHello(hello, self_));
  return group_->Admit({.id = hello.from_id(),
                        .uuid = hello.from_uuid(),
                        .address = hello.from_address(),
                        .members_index = hello.members_index()});
}

uint64_t MemberStreams::members_version() const { return group_->version(); }

void MemberStreams::Deliver(std::vector<raft::Message> messages) {
  node_->Deliver(std::move(messages));
}

void MemberStreams::OnUnreachable(raft::NodeId peer, const absl::Status& why) {
  MutexLock lock(mu_);
  if (reachable_ == nullptr) return;
  if (absl::IsNotFound(why)) group_->NoteRemoved();
  reachable_->ReportUnreachable(peer);
}

}  // namespace kdb::rpc

#include "pkg/meta/group_member.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/status.h"
#include "pkg/raftnode/hand_over.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::milliseconds kHandOverLimit{1000};

const char* RoleName(raft::Role role) {
  switch (role) {
    case raft::Role::kLeader:
      return "leader";
    case raft::Role::kFollower:
      return "follower";
    default:
      return "candidate";
  }
}

rpc::MemberIdentity SelfOf(const raftnode::Identity& identity) {
  KDB_CHECK(identity.self().has_value(), "a passive server has no part in a group");
  return {.cluster_id = identity.birth->cluster_id(),
          .gid = identity.birth->gid(),
          .id = identity.self()->id(),
          .uuid = identity.uuid};
}

}  // namespace

absl::StatusOr<std::unique_ptr<GroupMember>> GroupMember::Start(const Options& options,
                                                                const Environment& env,
                                                                const raftnode::Identity& identity,
                                                                Links links) {
  std::unique_ptr<GroupMember> self(new GroupMember(env, identity, links));
  KDB_RETURN_IF_ERROR(self->Open(options));
  return self;
}

GroupMember::GroupMember(const Environment& env, const raftnode::Identity& identity, Links links)
    : env_(env), birth_(*identity.birth), self_(SelfOf(identity)), links_(links) {}

GroupMember::~GroupMember() {
  if (node_ != nullptr) {
    if (absl::Status s = raftnode::HandOver(*node_, kHandOverLimit); !s.ok()) {
      env_.logger->info("leadership is not handed over: {}", std::string(s.message()));
    }
  }
  links_.raft_service.Detach();
  links_.replica.Detach();
  // Before its roles: it waits for what runs on them.
  node_.reset();
}

absl::Status GroupMember::Open(const Options& options) {
  KDB_ASSIGN_OR_RETURN(engine_, env_.open_engine(options.data_dir + "/state"));
  KDB_ASSIGN_OR_RETURN(
      machine_, CatalogState::Open(birth_, *engine_,
                                   [this](const StatePtr& state) { links_.hub.Publish(state); }));
  links_.hub.Publish(machine_->state());
  transport_ = std::make_unique<rpc::RaftTransport>(
      options.transport, links_.loop.io(), self_, env_.logger, env_.metrics,
      [this](raft::NodeId peer) { links_.replica.ReportUnreachable(peer); });
  transport_->SetPeers(Peers());
  log_role_ = NewThreadExecutor("meta-log");
  apply_role_ = NewThreadExecutor("meta-apply");
  background_role_ = NewThreadExecutor("meta-background");
  raft::ConfState initial;
  for (const catalog::Member& member : birth_.members()) initial.voters.push_back(member.id());
  raftnode::Options raft = options.raft;
  raft.wal_dir = options.data_dir + "/wal";
  KDB_ASSIGN_OR_RETURN(
      node_, raftnode::RaftNode::Start(raft, self_.id, initial, env_.fs,
                                       {links_.loop, *log_role_, *apply_role_, *background_role_},
                                       *machine_, *transport_, *this, env_.clock,
                                       Random(env_.seed ^ self_.id), env_.metrics));
  links_.replica.Attach(node_.get(), self_.id, {birth_.members().begin(), birth_.members().end()});
  links_.raft_service.Attach(this);
  return absl::OkStatus();
}

std::vector<raftnode::Peer> GroupMember::Peers() const {
  std::vector<raftnode::Peer> peers;
  for (const catalog::Member& member : birth_.members()) {
    if (member.id() == self_.id) continue;
    peers.push_back({.id = member.id(), .uuid = member.uuid(), .address = member.address()});
  }
  return peers;
}

absl::Status GroupMember::health() const {
  MutexLock lock(mu_);
  return health_;
}

void GroupMember::OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) {
  env_.logger->info("meta group: {} in term {}, leader {}", RoleName(role), term, leader);
  links_.replica.SetLeadership({.role = role, .term = term, .leader = leader});
}

void GroupMember::OnFatal(const absl::Status& status) { env_.on_fatal(status); }

void GroupMember::OnDegraded(bool degraded, const std::string& why) {
  MutexLock lock(mu_);
  health_ = degraded ? absl::UnavailableError(why) : absl::OkStatus();
}

absl::Status GroupMember::Accept(const raftpb::Hello& hello) {
  KDB_RETURN_IF_ERROR(rpc::CheckHello(hello, self_));
  for (const catalog::Member& member : birth_.members()) {
    if (member.id() == hello.from_id() && member.uuid() == hello.from_uuid()) {
      return absl::OkStatus();
    }
  }
  return absl::FailedPreconditionError(fmt::format(
      "member {} with directory {} is not of this meta group", hello.from_id(), hello.from_uuid()));
}

void GroupMember::Deliver(std::vector<raft::Message> messages) {
  links_.replica.Deliver(std::move(messages));
}

}  // namespace kdb::meta

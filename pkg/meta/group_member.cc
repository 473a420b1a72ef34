#include "pkg/meta/group_member.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/raftnode/hand_over.h"

namespace kdb::meta {
namespace {

constexpr std::chrono::milliseconds kHandOverLimit{1000};

}  // namespace

absl::StatusOr<std::unique_ptr<GroupMember>> GroupMember::Start(const Options& options,
                                                                const Environment& env,
                                                                const raftnode::Identity& identity,
                                                                Links links) {
  std::unique_ptr<GroupMember> self(new GroupMember(env, identity, std::move(links)));
  KDB_RETURN_IF_ERROR(self->Open(options));
  return self;
}

GroupMember::GroupMember(const Environment& env, const raftnode::Identity& identity, Links links)
    : env_(env),
      birth_(*identity.birth),
      self_(rpc::SelfOf(identity)),
      links_(std::move(links)),
      group_(birth_, self_.id, env.logger) {}

GroupMember::~GroupMember() {
  if (node_ != nullptr) {
    if (absl::Status s = raftnode::HandOver(*node_, kHandOverLimit); !s.ok()) {
      env_.logger->info("leadership is not handed over: {}", std::string(s.message()));
    }
  }
  if (streams_ != nullptr) streams_->Close();
  if (snapshots_ != nullptr) snapshots_->Close();
  if (keeper_ != nullptr) keeper_->Close();
  links_.log.Detach();
  // Before its roles: it waits for what runs on them.
  node_.reset();
}

absl::Status GroupMember::Open(const Options& options) {
  const snapshot::Paths paths{.dir = options.data_dir,
                              .state = options.data_dir + "/state",
                              .log = options.data_dir + "/wal"};
  raftnode::Options raft = options.raft;
  raft.wal_dir = paths.log;
  raft.disk.full_percent = 100;  // a catalog is small: it changes as long as there is any room
  KDB_RETURN_IF_ERROR(CreateDirs(env_.fs, paths.log));
  KDB_RETURN_IF_ERROR(rpc::InstallSnapshot(env_.fs, paths, raft.wal, env_.metrics, env_.logger));
  KDB_ASSIGN_OR_RETURN(engine_, env_.open_engine(paths.state));
  KDB_ASSIGN_OR_RETURN(
      machine_, CatalogState::Open(birth_, *engine_,
                                   [this](const StatePtr& state) { links_.hub.Publish(state); }));
  links_.hub.Publish(machine_->state());
  streams_ = std::make_unique<rpc::MemberStreams>(options.transport, links_.loop.io(), self_,
                                                  links_.raft_service, env_.logger, env_.metrics);
  group_.OnRemoved([this](const absl::Status& why) { links_.hub.Stop(why); });
  group_.SetMembership(machine_->applied().membership);
  group_.Connect(streams_->transport());
  snapshots_ = std::make_unique<rpc::SnapshotStreams>(rpc::SnapshotOptions{.paths = paths},
                                                      ForSnapshots(), self_, links_.restart);
  KDB_ASSIGN_OR_RETURN(node_, raftnode::RaftNode::Start(
                                  raft, self_.id, raftnode::BirthMembership(birth_), env_.fs,
                                  threads_.With(links_.loop), *machine_, streams_->transport(),
                                  *this, env_.clock, Random(env_.seed ^ self_.id), env_.metrics));
  group_.SetReplayTarget(node_->Status().commit);
  keeper_ = std::make_unique<raftnode::MemberKeeper>(ForKeeper(raft));
  links_.log.Attach(&group_, node_.get());
  links_.hub.Poke();  // leadership may have changed before calls could see it
  streams_->Open(group_, *node_);
  snapshots_->Open(group_, *node_);
  return absl::OkStatus();
}

rpc::SnapshotEnvironment GroupMember::ForSnapshots() {
  return {.fs = env_.fs,
          .clock = env_.clock,
          .executor = *threads_.snapshots,
          .io = links_.loop.io(),
          .service = links_.snapshot_service,
          .engine = *engine_,
          .logger = env_.logger,
          .metrics = env_.metrics};
}

raftnode::MemberKeeper::Parts GroupMember::ForKeeper(const raftnode::Options& raft) {
  return {.birth = birth_,
          .node = *node_,
          .group = group_,
          .newcomers = links_.newcomers,
          .executor = *threads_.members,
          .clock = env_.clock,
          .logger = env_.logger,
          .election_timeout = raft.tick * raft.election_ticks};
}

void GroupMember::OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) {
  group_.SetLeadership({.role = role, .term = term, .leader = leader});
  links_.hub.Poke();
}

void GroupMember::OnMembership(const raftnode::Membership& membership) {
  group_.SetMembership(membership);
  links_.hub.Poke();
}

void GroupMember::OnSnapshotNeeded(std::optional<raft::Index> index) {
  snapshots_->OnSnapshotNeeded(index);
}

void GroupMember::OnFatal(const absl::Status& status) { env_.on_fatal(status); }

void GroupMember::OnDegraded(bool degraded, const std::string& why) {
  group_.SetDegraded(degraded, why);
}

}  // namespace kdb::meta

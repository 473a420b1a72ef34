#include "pkg/server/group_member.h"

#include <fmt/format.h>

#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/raftnode/role_threads.h"

namespace kdb::server {
namespace {

constexpr std::chrono::milliseconds kHandOverLimit{1000};

}  // namespace

struct GroupMember::Threads {
  explicit Threads(size_t readers) {
    for (size_t i = 0; i < readers; ++i) {
      read.push_back(NewThreadExecutor(fmt::format("read-{}", i)));
    }
  }
  raftnode::RoleThreads roles;
  std::vector<std::unique_ptr<Executor>> read;
};

absl::StatusOr<std::unique_ptr<GroupMember>> GroupMember::Start(
    const GroupMemberOptions& options, const raftnode::Identity& identity,
    const storage::EngineFactory& open_engine, const Services& services) {
  std::unique_ptr<GroupMember> member(new GroupMember(identity, services));
  KDB_RETURN_IF_ERROR(member->Open(options, open_engine));
  return member;
}

GroupMember::GroupMember(const raftnode::Identity& identity, const Services& services)
    : services_(services), birth_(*identity.birth), self_(rpc::SelfOf(identity)) {}

absl::Status GroupMember::Open(const GroupMemberOptions& options,
                               const storage::EngineFactory& open_engine) {
  ReplicaOptions replica = options.replica;
  const snapshot::Paths paths{
      .dir = options.data_dir, .state = options.data_dir + "/db", .log = options.data_dir + "/log"};
  replica.raft.wal_dir = paths.log;
  KDB_RETURN_IF_ERROR(CreateDirs(services_.fs, paths.log));
  KDB_RETURN_IF_ERROR(rpc::InstallSnapshot(services_.fs, paths, replica.raft.wal, services_.metrics,
                                           services_.logger));
  threads_ = std::make_unique<Threads>(options.reader_threads);
  KDB_ASSIGN_OR_RETURN(engine_, open_engine(paths.state));
  streams_ =
      std::make_unique<rpc::MemberStreams>(rpc::TransportOptions{}, services_.loop.io(), self_,
                                           services_.raft, services_.logger, services_.metrics);
  snapshots_ = std::make_unique<rpc::SnapshotStreams>(
      rpc::SnapshotOptions{paths, options.snapshot_bytes_per_second}, ForSnapshots(), self_,
      services_.restart);
  KDB_ASSIGN_OR_RETURN(replica_, Replica::Start(replica, birth_, self_.id, Environment()));
  keeper_ = std::make_unique<raftnode::MemberKeeper>(ForKeeper(replica.raft));
  services_.commands.Attach(replica_.get(), self_.cluster_id, self_.gid);
  streams_->Open(replica_->group(), replica_->node());
  snapshots_->Open(replica_->group(), replica_->node());
  return absl::OkStatus();
}

rpc::SnapshotEnvironment GroupMember::ForSnapshots() {
  return {.fs = services_.fs,
          .clock = services_.clock,
          .executor = *threads_->roles.snapshots,
          .io = services_.loop.io(),
          .service = services_.snapshots,
          .engine = *engine_,
          .logger = services_.logger,
          .metrics = services_.metrics};
}

raftnode::MemberKeeper::Parts GroupMember::ForKeeper(const raftnode::Options& raft) {
  return {.birth = birth_,
          .node = replica_->node(),
          .group = replica_->group(),
          .newcomers = services_.newcomers,
          .executor = *threads_->roles.members,
          .clock = services_.clock,
          .logger = services_.logger,
          .election_timeout = raft.tick * raft.election_ticks};
}

ReplicaEnvironment GroupMember::Environment() {
  std::vector<Executor*> readers;
  for (const auto& thread : threads_->read) readers.push_back(thread.get());
  return {.fs = services_.fs,
          .engine = *engine_,
          .transport = streams_->transport(),
          .clock = services_.clock,
          .executors = threads_->roles.With(services_.loop),
          .readers = std::move(readers),
          .metrics = services_.metrics,
          .logger = services_.logger,
          .seed = SystemSeed(),
          .on_fatal = services_.on_fatal,
          .on_leadership = [this] { services_.commands.AnnounceLeader(); },
          .on_snapshot_needed =
              [this](std::optional<raft::Index> index) { snapshots_->OnSnapshotNeeded(index); }};
}

GroupMember::~GroupMember() {
  services_.commands.Detach();
  if (streams_ != nullptr) streams_->Close();
  if (snapshots_ != nullptr) snapshots_->Close();
  if (keeper_ != nullptr) keeper_->Close();
  replica_.reset();
  streams_.reset();
  threads_.reset();
}

void GroupMember::PrepareStop() {
  if (absl::Status s = replica_->HandOver(kHandOverLimit); !s.ok()) {
    services_.logger->info("leadership is not handed over: {}", std::string(s.message()));
  }
  if (absl::Status s = engine_->Flush(); !s.ok()) {
    services_.logger->warn("the engine is not flushed, the next start replays more: {}",
                           std::string(s.message()));
  }
}

}  // namespace kdb::server

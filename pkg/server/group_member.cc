#include "pkg/server/group_member.h"

#include <fmt/format.h>

#include "pkg/base/random.h"
#include "pkg/base/status.h"

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
  std::unique_ptr<Executor> log = NewThreadExecutor("log");
  std::unique_ptr<Executor> apply = NewThreadExecutor("apply");
  std::unique_ptr<Executor> background = NewThreadExecutor("background");
  std::vector<std::unique_ptr<Executor>> read;
};

absl::StatusOr<std::unique_ptr<GroupMember>> GroupMember::Start(const GroupMemberOptions& options,
                                                                const raftnode::Identity& identity,
                                                                const EngineFactory& open_engine,
                                                                const Services& services) {
  std::unique_ptr<GroupMember> member(new GroupMember(identity, services));
  KDB_RETURN_IF_ERROR(member->Open(options, open_engine));
  return member;
}

GroupMember::GroupMember(const raftnode::Identity& identity, const Services& services)
    : services_(services),
      birth_(*identity.birth),
      self_{.cluster_id = identity.birth->cluster_id(),
            .gid = identity.birth->gid(),
            .id = identity.self()->id(),
            .uuid = identity.uuid} {}

absl::Status GroupMember::Open(const GroupMemberOptions& options,
                               const EngineFactory& open_engine) {
  threads_ = std::make_unique<Threads>(options.reader_threads);
  KDB_ASSIGN_OR_RETURN(engine_, open_engine(options.data_dir + "/db"));
  transport_ = std::make_unique<rpc::RaftTransport>(
      rpc::TransportOptions{}, services_.loop.io(), self_, services_.logger, services_.metrics,
      [this](raft::NodeId peer) { OnUnreachable(peer); });
  ReplicaOptions replica = options.replica;
  replica.raft.wal_dir = options.data_dir + "/log";
  KDB_RETURN_IF_ERROR(CreateDirs(services_.fs, replica.raft.wal_dir));
  std::vector<Executor*> readers;
  for (const auto& thread : threads_->read) readers.push_back(thread.get());
  ReplicaEnvironment env{
      .fs = services_.fs,
      .engine = *engine_,
      .transport = *transport_,
      .clock = services_.clock,
      .executors = {services_.loop, *threads_->log, *threads_->apply, *threads_->background},
      .readers = std::move(readers),
      .metrics = services_.metrics,
      .logger = services_.logger,
      .seed = SystemSeed(),
      .on_fatal = services_.on_fatal,
      .on_leadership = [this] { services_.commands.AnnounceLeader(); }};
  KDB_ASSIGN_OR_RETURN(replica_, Replica::Start(replica, birth_, self_.id, env));
  {
    MutexLock lock(mu_);
    reachable_ = replica_.get();
  }
  services_.commands.Attach(replica_.get(), self_.cluster_id, self_.gid);
  services_.raft.Attach(this);
  return absl::OkStatus();
}

GroupMember::~GroupMember() {
  services_.commands.Detach();
  services_.raft.Detach();
  {
    MutexLock lock(mu_);
    reachable_ = nullptr;
  }
  replica_.reset();
  transport_.reset();
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

absl::Status GroupMember::Accept(const raftpb::Hello& hello) {
  KDB_RETURN_IF_ERROR(rpc::CheckHello(hello, self_));
  std::optional<catalog::Member> from = replica_->Member(hello.from_id());
  if (!from.has_value()) {
    return absl::FailedPreconditionError(
        fmt::format("member {} is not one of group {}", hello.from_id(), self_.gid));
  }
  if (from->uuid() != hello.from_uuid()) {
    return absl::FailedPreconditionError(fmt::format(
        "member {} of group {} is directory {}, not {}: a new or emptied directory is a new member",
        hello.from_id(), self_.gid, from->uuid(), hello.from_uuid()));
  }
  return absl::OkStatus();
}

void GroupMember::Deliver(std::vector<raft::Message> messages) {
  replica_->Deliver(std::move(messages));
}

void GroupMember::OnUnreachable(raft::NodeId peer) {
  MutexLock lock(mu_);
  if (reachable_ != nullptr) reachable_->ReportUnreachable(peer);
}

}  // namespace kdb::server

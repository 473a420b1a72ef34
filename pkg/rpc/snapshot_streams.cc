#include "pkg/rpc/snapshot_streams.h"

#include <utility>

#include "pkg/base/status.h"
#include "pkg/rpc/snapshot_link.h"
#include "pkg/snapshot/engine_copy.h"

namespace kdb::rpc {

absl::Status InstallSnapshot(FileSystem& fs, const snapshot::Paths& paths, const wal::Options& wal,
                             obs::Registry& metrics, const obs::Logger& logger) {
  KDB_ASSIGN_OR_RETURN(snapshot::Outcome outcome, snapshot::Install(fs, paths, wal));
  if (outcome == snapshot::Outcome::kNothing) return absl::OkStatus();
  const bool installed = outcome == snapshot::Outcome::kInstalled;
  if (installed) {
    metrics.AddCounter("kdb_snapshots_installed_total", "Snapshots that became this member's state")
        .Increment();
  }
  logger->info(installed ? "the snapshot is installed"
                         : "the snapshot is not installed: the log has reached its last entry");
  return absl::OkStatus();
}

SnapshotStreams::SnapshotStreams(SnapshotOptions options, const SnapshotEnvironment& env,
                                 MemberIdentity self, std::function<void()> on_fetched)
    : options_(std::move(options)),
      env_(env),
      self_(std::move(self)),
      on_fetched_(std::move(on_fetched)) {}

SnapshotStreams::~SnapshotStreams() { Close(); }

snapshot::SourceOptions SnapshotStreams::ForSource() const {
  return {.checkpoints = {.dir = options_.paths.dir + "/copies",
                          .cluster_id = self_.cluster_id,
                          .gid = self_.gid},
          .bytes_per_second = options_.bytes_per_second};
}

snapshot::FetcherOptions SnapshotStreams::ForFetcher() const {
  auto verify = [this](const std::string& dir, const snapshot::Manifest& manifest) {
    return snapshot::VerifyCopy(env_.engine, dir, manifest.meta());
  };
  return {.receiver = {.paths = options_.paths,
                       .cluster_id = self_.cluster_id,
                       .gid = self_.gid,
                       .verify = verify}};
}

void SnapshotStreams::Open(const raftnode::GroupView& group, raftnode::RaftNode& node) {
  auto make = [this](const std::string& dir) { return snapshot::CopyEngine(env_.engine, dir); };
  source_ = std::make_unique<snapshot::Source>(
      env_.fs, env_.clock, env_.executor, ForSource(), make, Random(SystemSeed()),
      [&node](raft::Index index) { node.HoldLog(index); }, env_.metrics);
  auto check = [this, &group](const raftpb::Hello& hello) -> absl::Status {
    KDB_RETURN_IF_ERROR(CheckHello(hello, self_));
    return group.CheckMember(hello.from_id(), hello.from_uuid());
  };
  env_.service.Attach(check, source_.get());
  auto connect = [this, &group](snapshot::LinkHandler& handler) { return Connect(group, handler); };
  MutexLock lock(mu_);
  fetcher_ = std::make_unique<snapshot::Fetcher>(env_.fs, env_.clock, env_.executor, ForFetcher(),
                                                 connect, on_fetched_, env_.logger, env_.metrics);
}

void SnapshotStreams::Close() {
  env_.service.Detach();
  source_ = nullptr;
  std::unique_ptr<snapshot::Fetcher> fetcher;
  MutexLock lock(mu_);
  fetcher.swap(fetcher_);
}

void SnapshotStreams::OnSnapshotNeeded(std::optional<raft::Index> index) {
  MutexLock lock(mu_);
  // Before Open: it will be said again.
  if (fetcher_ != nullptr) fetcher_->Want(index);
}

// From the leader: nobody else keeps the log behind a snapshot for this member.
std::unique_ptr<snapshot::Link> SnapshotStreams::Connect(const raftnode::GroupView& group,
                                                         snapshot::LinkHandler& handler) const {
  const raft::NodeId leader = group.leadership().leader;
  const std::optional<catalog::Member> member = group.Member(leader);
  if (!member || leader == self_.id) return nullptr;
  return OpenSnapshotLink(env_.io, self_, {leader, member->uuid(), member->address()}, handler);
}

}  // namespace kdb::rpc

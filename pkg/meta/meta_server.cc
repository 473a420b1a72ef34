#include "pkg/meta/meta_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/meta/admin_service.h"
#include "pkg/meta/founding.h"
#include "pkg/meta/meta_service.h"

namespace kdb::meta {
namespace {

class Server final : public MetaServer {
 public:
  Server(const ServerOptions& options, const Environment& env)
      : options_(options),
        env_(env),
        replica_(hub_),
        reconciler_(options.reconciler, replica_, hub_, admin_client_, env.logger, env.metrics),
        operations_(replica_, hub_, reconciler_, admin_client_),
        probe_(admin_client_) {}

  ~Server() override {
    hub_.Stop();
    reconciler_.Stop();
    // Ends the proposals and reads that calls wait for.
    StopMember();
    // Cancels watches; waits for the calls, which have just been told to end.
    if (server_ != nullptr) server_->Shutdown();
    long_calls_.reset();
    short_calls_.reset();
    // One that was born meanwhile.
    StopMember();
  }

  absl::Status Open() {
    KDB_RETURN_IF_ERROR(CreateDirs(env_.fs, options_.data_dir));
    KDB_ASSIGN_OR_RETURN(lock_, env_.fs.Lock(options_.data_dir + "/LOCK"));
    Random random(env_.seed);
    KDB_ASSIGN_OR_RETURN(raftnode::Identity identity,
                         raftnode::LoadIdentity(env_.fs, options_.data_dir, random));
    founding_.emplace(env_.fs, options_.data_dir, identity, admin_client_, random,
                      [this](const raftnode::Identity& born) { return OnBorn(born); });
    if (identity.birth) KDB_RETURN_IF_ERROR(StartMember(identity));
    return Listen();
  }

  int port() const override { return port_; }
  absl::Status Alive() const override { return loop_.Alive(); }
  absl::Status Ready() const override;
  StartupProgress progress() const override;

 private:
  absl::Status Listen();
  absl::Status StartMember(const raftnode::Identity& identity);
  absl::Status OnBorn(const raftnode::Identity& identity);
  void StopMember();

  const ServerOptions options_;
  const Environment& env_;
  std::unique_ptr<FileLock> lock_;

  StateHub hub_;
  Replica replica_;
  rpc::AdminClient admin_client_;
  Reconciler reconciler_;
  Operations operations_;
  PeerProbe probe_;
  std::optional<Founding> founding_;
  net::Loop loop_{"raft"};
  rpc::RaftService raft_service_;

  mutable Mutex mu_;
  std::unique_ptr<GroupMember> member_ ABSL_GUARDED_BY(mu_);  // from birth on
  bool passive_ ABSL_GUARDED_BY(mu_) = true;
  uint64_t replay_target_ ABSL_GUARDED_BY(mu_) = 0;  // last log index at start

  std::unique_ptr<WorkerPool> long_calls_, short_calls_;
  std::optional<MetaService> meta_service_;
  std::optional<AdminService> admin_service_;
  std::unique_ptr<rpc::Server> server_;
  int port_ = 0;
};

absl::Status Server::Listen() {
  long_calls_ = std::make_unique<WorkerPool>(options_.long_calls, options_.max_queued_calls);
  short_calls_ = std::make_unique<WorkerPool>(options_.short_calls, options_.max_queued_calls);
  meta_service_.emplace(MetaService::Parts{*founding_, operations_, probe_, replica_, hub_,
                                           *long_calls_, *short_calls_});
  admin_service_.emplace(AdminService::Parts{*founding_, replica_, hub_, *short_calls_, env_.logger,
                                             options_.version});
  auto raft = [this](auto) { return raft_service_.Open(); };
  KDB_ASSIGN_OR_RETURN(
      server_,
      rpc::Server::Start(options_.listen, {loop_, env_.clock, env_.metrics, env_.logger},
                         {&*meta_service_, &*admin_service_}, {{net::Service::kRaft, raft}}));
  port_ = server_->port();
  env_.logger->info("meta server {} listens on {} (port {})", founding_->identity().uuid,
                    options_.listen.address, port_);
  return absl::OkStatus();
}

absl::Status Server::StartMember(const raftnode::Identity& identity) {
  {
    MutexLock lock(mu_);
    passive_ = false;
  }
  GroupMember::Options options{options_.data_dir, options_.raft, options_.transport};
  KDB_ASSIGN_OR_RETURN(auto member, GroupMember::Start(options, env_, identity,
                                                       {replica_, hub_, raft_service_, loop_}));
  KDB_ASSIGN_OR_RETURN(raft::RaftStatus status, replica_.Status());
  reconciler_.Start(*identity.birth);
  MutexLock lock(mu_);
  member_ = std::move(member);
  replay_target_ = status.commit;
  return absl::OkStatus();
}

absl::Status Server::OnBorn(const raftnode::Identity& identity) {
  env_.logger->info("born as member {} of cluster {}", identity.self()->id(),
                    identity.birth->cluster_id());
  absl::Status status = StartMember(identity);
  // The birth is durable: a restart takes it up again.
  if (!status.ok()) env_.on_fatal(status);
  return status;
}

void Server::StopMember() {
  std::unique_ptr<GroupMember> member;
  {
    MutexLock lock(mu_);
    member = std::move(member_);
  }
}

absl::Status Server::Ready() const {
  if (!founding_->identity().birth) {
    return absl::UnavailableError("passive: this meta server is not bootstrapped");
  }
  {
    MutexLock lock(mu_);
    if (member_ == nullptr) return absl::UnavailableError("the log is being opened");
    KDB_RETURN_IF_ERROR(member_->health());
  }
  KDB_ASSIGN_OR_RETURN(raft::RaftStatus status, replica_.Status());
  const auto& voters = status.conf.voters;
  if (std::find(voters.begin(), voters.end(), status.id) == voters.end()) {
    return absl::UnavailableError("not a voter of the meta group");
  }
  if (status.leader == raft::kNoNode) return absl::UnavailableError("no leader is known");
  const uint64_t lag = status.commit - std::min(status.applied, status.commit);
  if (lag <= options_.max_apply_lag) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{} committed entries are not applied", lag));
}

StartupProgress Server::progress() const {
  StartupProgress progress;
  MutexLock lock(mu_);
  if (passive_) {
    progress.done = true;
    return progress;
  }
  absl::StatusOr<raft::RaftStatus> status = replica_.Status();
  if (member_ == nullptr || !status.ok()) return progress;
  progress.applied = status->applied;
  progress.target = replay_target_;
  progress.done = progress.applied >= progress.target;
  return progress;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MetaServer>> MetaServer::Start(const ServerOptions& options,
                                                              const Environment& env) {
  if (options.data_dir.empty()) return absl::InvalidArgumentError("data_dir is empty");
  if (options.listen.address.empty()) return absl::InvalidArgumentError("listen is empty");
  auto server = std::make_unique<Server>(options, env);
  KDB_RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace kdb::meta

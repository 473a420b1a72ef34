#include "pkg/meta/meta_server.h"

#include <optional>
#include <utility>

#include "pkg/base/status.h"
#include "pkg/meta/admin_service.h"
#include "pkg/meta/founding.h"
#include "pkg/meta/meta_service.h"
#include "pkg/obs/admin_http.h"
#include "pkg/raftnode/quarantine.h"
#include "pkg/rpc/newcomers.h"

namespace kdb::meta {
namespace {

class Server final : public MetaServer {
 public:
  Server(const ServerOptions& options, const Environment& env)
      : options_(options),
        env_(env),
        reconciler_(options.reconciler, log_, hub_, admin_client_, env.logger, env.metrics),
        operations_(log_, hub_, reconciler_, admin_client_),
        probe_(admin_client_) {}

  ~Server() override {
    hub_.Stop(absl::UnavailableError("the meta server is stopping"));
    reconciler_.Stop();
    // Ends the proposals and reads that calls wait for.
    if (directory_ != nullptr) directory_->Close();
    member_.Take().reset();
    // Cancels watches; waits for the calls, which have just been told to end.
    if (server_ != nullptr) server_->Shutdown();
    long_calls_.reset();
    short_calls_.reset();
  }

  absl::Status Open() {
    Random random(env_.seed);
    KDB_ASSIGN_OR_RETURN(directory_,
                         raftnode::DataDirectory::Open(env_.fs, options_.data_dir,
                                                       raftnode::ServerKind::kMeta, random));
    raft_service_.emplace(directory_->identity().uuid, env_.logger);
    founding_.emplace(*directory_, admin_client_, random,
                      [this](const raftnode::Identity& born) { return OnBorn(born); });
    obs::Probes probes{.live = [this] { return loop_.Alive(); },
                       .ready = [this] { return Ready(); },
                       .started = [this] { return Started(); }};
    KDB_ASSIGN_OR_RETURN(
        admin_http_, obs::AdminHttp::Start(options_.admin_listen, env_.metrics, std::move(probes)));
    const absl::Status started = directory_->StartIfBorn(
        [this](const raftnode::Identity& identity) { return StartMember(identity); });
    if (directory_->Quarantined().ok()) KDB_RETURN_IF_ERROR(started);
    TellQuarantine();
    return Listen();
  }

  int port() const override { return server_->port(); }
  int admin_port() const override { return admin_http_->port(); }
  absl::Status Ready() const override;
  absl::Status Started() const override;

 private:
  // The environment as a member sees it: when it must not go on, the server may stay.
  Environment ForMember() {
    Environment env = env_;
    env.on_fatal = [this](const absl::Status& why) { OnMemberFailed(why); };
    return env;
  }
  void OnMemberFailed(const absl::Status& why);
  void TellQuarantine();
  absl::Status Listen();
  absl::Status StartMember(const raftnode::Identity& identity);
  absl::Status OnBorn(const raftnode::Identity& identity);
  void RestartMember(const raftnode::Identity& identity);

  const ServerOptions options_;
  const Environment& env_;
  const Environment member_env_ = ForMember();
  std::unique_ptr<raftnode::DataDirectory> directory_;

  StateHub hub_;
  CatalogLog log_;
  rpc::AdminClient admin_client_;
  Reconciler reconciler_;
  Operations operations_;
  PeerProbe probe_;
  std::optional<Founding> founding_;
  net::Loop loop_{"raft"};
  std::optional<rpc::RaftService> raft_service_;
  rpc::SnapshotService snapshot_service_;
  rpc::AdminNewcomers newcomers_;

  raftnode::MemberSlot<GroupMember> member_;  // from birth on

  std::unique_ptr<WorkerPool> long_calls_, short_calls_;
  std::optional<MetaService> meta_service_;
  std::optional<AdminService> admin_service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<obs::AdminHttp> admin_http_;
};

absl::Status Server::Listen() {
  long_calls_ = std::make_unique<WorkerPool>(options_.long_calls, options_.max_queued_calls);
  short_calls_ = std::make_unique<WorkerPool>(options_.short_calls, options_.max_queued_calls);
  meta_service_.emplace(
      MetaService::Parts{*founding_, operations_, probe_, log_, hub_, *long_calls_, *short_calls_});
  admin_service_.emplace(*directory_, options_.version, env_.logger,
                         AdminService::Parts{*founding_, log_, hub_, member_, *short_calls_});
  auto raft = [this](auto connection) { return raft_service_->Open(connection->peer()); };
  auto snapshots = [this](auto connection) { return snapshot_service_.Open(connection); };
  KDB_ASSIGN_OR_RETURN(
      server_,
      rpc::Server::Start(options_.listen, {loop_, env_.clock, env_.metrics, env_.logger},
                         {&*meta_service_, &*admin_service_},
                         {{net::Service::kRaft, raft}, {net::Service::kSnapshots, snapshots}}));
  env_.logger->info("meta server {} listens on {} (port {})", directory_->identity().uuid,
                    options_.listen.address, port());
  return absl::OkStatus();
}

absl::Status Server::StartMember(const raftnode::Identity& identity) {
  GroupMember::Options options{options_.data_dir, options_.raft, options_.transport};
  auto restart = [this] {
    directory_->RestartLater([this](const raftnode::Identity& self) { RestartMember(self); });
  };
  KDB_ASSIGN_OR_RETURN(
      auto member, GroupMember::Start(options, member_env_, identity,
                                      {log_, hub_, *raft_service_, snapshot_service_, newcomers_,
                                       loop_, restart}));
  reconciler_.Start(*identity.birth);
  member_.Set(std::move(member));
  return absl::OkStatus();
}

absl::Status Server::OnBorn(const raftnode::Identity& identity) {
  env_.logger->info("born as member {} of cluster {}", identity.self()->id(),
                    identity.birth->cluster_id());
  absl::Status status = StartMember(identity);
  // The birth is durable: a restart takes it up again.
  if (!status.ok()) OnMemberFailed(status);
  return status;
}

void Server::RestartMember(const raftnode::Identity& identity) {
  member_.Take().reset();
  if (absl::Status started = StartMember(identity); !started.ok()) OnMemberFailed(started);
}

void Server::OnMemberFailed(const absl::Status& why) {
  auto stop = [this] {
    TellQuarantine();
    member_.Take().reset();
  };
  directory_->Fail(why, stop, env_.on_fatal);
}

void Server::TellQuarantine() {
  raftnode::TellQuarantine(directory_->Quarantined(), env_.metrics, env_.logger);
}

absl::Status Server::Ready() const {
  KDB_RETURN_IF_ERROR(directory_->Quarantined());
  if (!directory_->identity().birth) {
    return absl::UnavailableError("passive: this meta server is not bootstrapped");
  }
  auto member = member_.Use();
  if (member == nullptr) return absl::UnavailableError("the log is being opened");
  KDB_ASSIGN_OR_RETURN(raft::RaftStatus status, log_.Status());
  return member->group().Ready(status, options_.max_apply_lag);
}

absl::Status Server::Started() const {
  if (!directory_->identity().birth || !directory_->Quarantined().ok()) return absl::OkStatus();
  auto member = member_.Use();
  if (member == nullptr) return absl::UnavailableError("the log is being opened");
  KDB_ASSIGN_OR_RETURN(raft::RaftStatus status, log_.Status());
  return member->group().Started(status);
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

#include "pkg/server/kv_server.h"

#include <atomic>
#include <optional>
#include <utility>

#include "pkg/base/periodic.h"
#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/raftnode/member_slot.h"
#include "pkg/raftnode/quarantine.h"
#include "pkg/rpc/catalog_watcher.h"
#include "pkg/rpc/meta_client.h"
#include "pkg/rpc/newcomers.h"
#include "pkg/server/admin_service.h"

namespace kdb::server {
namespace {

class KvServerImpl final : public KvServer, private AdminBackend {
 public:
  KvServerImpl(const KvOptions& options, FileSystem& fs, const Clock& clock,
               storage::EngineFactory open_engine, obs::Logger logger,
               std::function<void(const absl::Status&)> on_fatal)
      : options_(options),
        fs_(fs),
        clock_(clock),
        open_engine_(std::move(open_engine)),
        logger_(std::move(logger)),
        on_fatal_(std::move(on_fatal)),
        command_service_(loop_, metrics_) {}

  ~KvServerImpl() override;
  absl::Status Open();

  int port() const override { return server_->port(); }
  int admin_port() const override { return admin_http_->port(); }

 private:
  absl::Status AcceptBirth(const catalog::BirthCertificate& certificate) override {
    return directory_->AcceptBirth(certificate, starter_);
  }
  std::shared_ptr<GroupMember> member() const override { return member_.Use(); }

  absl::Status StartMember(const raftnode::Identity& identity);
  void RestartMember(const raftnode::Identity& identity);
  // The member must not go on; in quarantine the server stays.
  void OnMemberFailed(const absl::Status& why);
  void TellQuarantine();
  absl::Status StartServices();
  void StartMetaClients();
  void OnCatalog(const catalog::Catalog& catalog);
  void Report();
  absl::Status Started() const;
  absl::Status Ready() const;

  const KvOptions options_;
  FileSystem& fs_;
  const Clock& clock_;
  const storage::EngineFactory open_engine_;
  const obs::Logger logger_;
  const std::function<void(const absl::Status&)> on_fatal_;

  obs::Registry metrics_;
  net::Loop loop_{"raft"};
  std::optional<rpc::RaftService> raft_service_;
  rpc::SnapshotService snapshot_service_;
  CommandService command_service_;
  rpc::AdminNewcomers newcomers_;
  std::unique_ptr<raftnode::DataDirectory> directory_;
  const raftnode::DataDirectory::Start starter_ = [this](const raftnode::Identity& identity) {
    return StartMember(identity);
  };
  std::unique_ptr<CatalogCache> catalog_;
  std::unique_ptr<AdminService> admin_service_;

  raftnode::MemberSlot<GroupMember> member_;
  std::atomic<bool> started_ = false;

  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<obs::AdminHttp> admin_http_;
  std::unique_ptr<rpc::MetaClient> meta_;
  std::unique_ptr<Executor> reporter_;
  std::unique_ptr<Periodic> report_;
  std::unique_ptr<rpc::CatalogWatcher> watcher_;
};

absl::Status KvServerImpl::Open() {
  Random random(SystemSeed());
  KDB_ASSIGN_OR_RETURN(directory_,
                       raftnode::DataDirectory::Open(fs_, options_.member.data_dir,
                                                     raftnode::ServerKind::kKv, random));
  const raftnode::Identity identity = directory_->identity();
  raft_service_.emplace(identity.uuid, logger_);
  catalog_ = std::make_unique<CatalogCache>(fs_, directory_->path() + "/catalog", logger_,
                                            identity.birth ? identity.birth->cluster_id() : "");
  admin_service_ = std::make_unique<AdminService>(*directory_, static_cast<AdminBackend&>(*this),
                                                  *catalog_, options_.version, logger_);
  obs::Probes probes{.live = [this] { return loop_.Alive(); },
                     .ready = [this] { return Ready(); },
                     .started = [this] { return Started(); }};
  KDB_ASSIGN_OR_RETURN(admin_http_,
                       obs::AdminHttp::Start(options_.admin_listen, metrics_, std::move(probes)));
  KDB_RETURN_IF_ERROR(StartServices());
  const absl::Status started = directory_->StartIfBorn(starter_);
  if (directory_->Quarantined().ok()) KDB_RETURN_IF_ERROR(started);
  TellQuarantine();
  if (!identity.birth.has_value()) {
    logger_->info("{} is passive: no birth certificate names it yet", identity.uuid);
  }
  started_ = true;
  StartMetaClients();
  return absl::OkStatus();
}

KvServerImpl::~KvServerImpl() {
  if (meta_) meta_->Cancel();
  report_.reset();
  watcher_.reset();
  reporter_.reset();
  if (directory_) directory_->Close();
  std::unique_ptr<GroupMember> member = member_.Take();
  if (member != nullptr) member->PrepareStop();
  if (server_) server_->Shutdown();
  member.reset();
}

absl::Status KvServerImpl::StartServices() {
  auto raft = [this](auto connection) { return raft_service_->Open(connection->peer()); };
  auto snapshots = [this](auto connection) { return snapshot_service_.Open(connection); };
  auto commands = [this](auto connection) { return command_service_.Open(std::move(connection)); };
  KDB_ASSIGN_OR_RETURN(server_,
                       rpc::Server::Start(options_.listen, {loop_, clock_, metrics_, logger_},
                                          {admin_service_.get()},
                                          {{net::Service::kRaft, raft},
                                           {net::Service::kSnapshots, snapshots},
                                           {net::Service::kCommands, commands}}));
  return absl::OkStatus();
}

absl::Status KvServerImpl::StartMember(const raftnode::Identity& identity) {
  Services services{.fs = fs_,
                    .clock = clock_,
                    .metrics = metrics_,
                    .logger = logger_,
                    .raft = *raft_service_,
                    .snapshots = snapshot_service_,
                    .commands = command_service_,
                    .newcomers = newcomers_,
                    .loop = loop_,
                    .on_fatal = [this](const absl::Status& why) { OnMemberFailed(why); },
                    .restart =
                        [this] {
                          directory_->RestartLater(
                              [this](const raftnode::Identity& self) { RestartMember(self); });
                        }};
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<GroupMember> member,
                       GroupMember::Start(options_.member, identity, open_engine_, services));
  logger_->info("member {} of group {} of cluster {}", member->id(), member->birth().gid(),
                member->birth().cluster_id());
  member_.Set(std::move(member));
  return absl::OkStatus();
}

void KvServerImpl::RestartMember(const raftnode::Identity& identity) {
  member_.Take().reset();
  if (absl::Status started = StartMember(identity); !started.ok()) OnMemberFailed(started);
}

void KvServerImpl::OnMemberFailed(const absl::Status& why) {
  auto stop = [this] {
    TellQuarantine();
    member_.Take().reset();
  };
  directory_->Fail(why, stop, on_fatal_);
}

void KvServerImpl::TellQuarantine() {
  raftnode::TellQuarantine(directory_->Quarantined(), metrics_, logger_);
}

void KvServerImpl::StartMetaClients() {
  if (options_.meta_seeds.empty()) return;
  meta_ = std::make_unique<rpc::MetaClient>(rpc::MetaClientOptions{.seeds = options_.meta_seeds},
                                            Random(SystemSeed()));
  meta_->Learn(rpc::MetaServersOf(catalog_->Get()));
  reporter_ = NewThreadExecutor("report");
  report_ = std::make_unique<Periodic>(*reporter_, options_.report_every, [this] { Report(); });
  watcher_ = std::make_unique<rpc::CatalogWatcher>(
      rpc::CatalogWatcherOptions{
          .meta_seeds = options_.meta_seeds, .kv_seeds = {}, .cluster_id = catalog_->cluster_id()},
      [this](const catalog::Catalog& catalog) { OnCatalog(catalog); }, logger_,
      Random(SystemSeed()));
}

void KvServerImpl::OnCatalog(const catalog::Catalog& catalog) {
  if (catalog_->Update(catalog)) meta_->Learn(rpc::MetaServersOf(catalog));
}

void KvServerImpl::Report() {
  std::shared_ptr<GroupMember> m = member();
  if (m == nullptr || !m->replica().leads()) return;
  raft::RaftStatus raft = m->replica().RaftStatus();
  metapb::ReportRequest report;
  report.set_cluster_id(m->birth().cluster_id());
  report.set_gid(m->birth().gid());
  report.set_leader(m->id());
  report.set_term(raft.term);
  report.set_applied(raft.applied);
  report.set_keys(m->replica().ShardStats().keys);
  report.set_bytes(m->EngineBytes());
  const raftnode::Membership membership = m->replica().group().membership();
  report.set_members_index(membership.index);
  for (const auto& [_, member] : membership.members) *report.add_members() = member;
  // Meta may be down: shards serve without it, the next report comes soon.
  if (absl::Status s = meta_->Report(report, options_.report_every).status(); !s.ok()) {
    logger_->debug("no meta server took the report: {}", std::string(s.message()));
  }
}

absl::Status KvServerImpl::Started() const {
  if (!started_) return absl::UnavailableError("the data directory is being opened");
  std::shared_ptr<GroupMember> m = member();
  return m == nullptr ? absl::OkStatus() : m->replica().Started();
}

absl::Status KvServerImpl::Ready() const {
  KDB_RETURN_IF_ERROR(directory_->Quarantined());
  std::shared_ptr<GroupMember> m = member();
  if (m == nullptr)
    return absl::UnavailableError(directory_->identity().birth
                                      ? "the member is starting"
                                      : "passive: no birth certificate names this server yet");
  return m->replica().Ready();
}

}  // namespace

absl::StatusOr<std::unique_ptr<KvServer>> KvServer::Start(
    const KvOptions& options, FileSystem& fs, const Clock& clock,
    storage::EngineFactory open_engine, obs::Logger logger,
    std::function<void(const absl::Status&)> on_fatal) {
  auto server = std::make_unique<KvServerImpl>(options, fs, clock, std::move(open_engine),
                                               std::move(logger), std::move(on_fatal));
  KDB_RETURN_IF_ERROR(server->Open());
  return server;
}

}  // namespace kdb::server

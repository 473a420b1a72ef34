#include "pkg/proxy/proxy_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "pkg/base/executor.h"
#include "pkg/base/periodic.h"
#include "pkg/base/status.h"
#include "pkg/proxy/acceptor.h"
#include "pkg/proxy/catalog_admin.h"
#include "pkg/proxy/client_list.h"
#include "pkg/proxy/io_thread.h"
#include "pkg/proxy/kv_server.h"
#include "pkg/rpc/catalog_watcher.h"

namespace kdb::proxy {
namespace {

constexpr auto kPasswordCheck = std::chrono::seconds(1);
constexpr char kTooManyClients[] = "-ERR max number of clients reached\r\n";
constexpr auto kStuck = std::chrono::seconds(5);  // a loop that does not come round for so long

std::string NewRunId(Random& random) {
  std::string id;
  while (id.size() < 40) id.append(fmt::format("{:016x}", random.Next()));
  return id.substr(0, 40);
}

class ProxyServerImpl final : public ProxyServer {
 public:
  ProxyServerImpl(const ProxyOptions& options, const Clock& clock, Random random,
                  obs::Registry& metrics, obs::Logger logger)
      : options_(options),
        clock_(clock),
        random_(random),
        registry_(metrics),
        logger_(std::move(logger)),
        passwords_(options.password_file, logger_),
        metrics_(metrics),
        catalog_(NewMetaCatalogAdmin(options.meta_seeds, Random(random_.Next()))),
        shared_{
            {info_, passwords_, *catalog_, clock_, clients_}, info_, metrics_, registry_, logger_} {
    info_.version = options.version;
    info_.run_id = NewRunId(random_);
    info_.max_clients = options.max_clients;
    info_.started = clock_.Monotonic();
  }
  ~ProxyServerImpl() override { Stop(); }

  absl::Status Start() override;
  bool ready() const override { return loaded_.load() && !draining_.load(); }
  int port() const override { return info_.port; }
  int kv_port() const override { return kv_server_ == nullptr ? 0 : kv_server_->port(); }
  bool alive() override;
  bool Drain(std::chrono::milliseconds limit) override;
  void Stop() override;

 private:
  void CreateThreads();
  absl::Status Listen();
  absl::Status ListenForKv();
  std::vector<IoThread*> Threads() const;
  void WatchCatalog();
  void OnCatalog(const catalog::Catalog& catalog);

  const ProxyOptions options_;
  const Clock& clock_;
  Random random_;
  obs::Registry& registry_;
  const obs::Logger logger_;
  ProxyInfo info_;
  Passwords passwords_;
  ConnectionMetrics metrics_;
  ClientList clients_;
  std::unique_ptr<CatalogAdmin> catalog_;
  IoShared shared_;
  std::atomic<uint64_t> next_client_id_ = 1;
  std::atomic<bool> loaded_ = false;
  std::atomic<bool> draining_ = false;
  bool stopped_ = false;

  std::vector<std::unique_ptr<IoThread>> threads_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::unique_ptr<KvServer> kv_server_;
  std::unique_ptr<rpc::CatalogWatcher> watcher_;
  std::unique_ptr<Executor> housekeeping_;
  std::unique_ptr<Periodic> password_check_;
};

absl::Status ProxyServerImpl::Start() {
  if (options_.meta_seeds.empty() && options_.kv_seeds.empty()) {
    return absl::InvalidArgumentError("neither meta nor kv servers are given to start from");
  }
  if (options_.max_bulk_bytes > options_.max_request_bytes) {
    return absl::InvalidArgumentError(fmt::format(
        "max-bulk, {} bytes, is more than max-request, {} bytes, which holds all arguments",
        options_.max_bulk_bytes, options_.max_request_bytes));
  }
  KDB_RETURN_IF_ERROR(passwords_.Reload());
  CreateThreads();
  KDB_RETURN_IF_ERROR(Listen());
  KDB_RETURN_IF_ERROR(ListenForKv());
  WatchCatalog();
  for (const auto& thread : threads_) thread->Start();
  for (const auto& acceptor : acceptors_) acceptor->Start();
  if (kv_server_ != nullptr) kv_server_->Start();
  housekeeping_ = NewThreadExecutor("housekeeping");
  password_check_ =
      std::make_unique<Periodic>(*housekeeping_, kPasswordCheck, [this] { passwords_.Check(); });
  return absl::OkStatus();
}

void ProxyServerImpl::CreateThreads() {
  IoThreadOptions options;
  options.proxy_name = options_.name;
  options.router.deadline = options_.deadline;
  options.router.max_queued_bytes = options_.max_queued_bytes;
  options.connection.request.max_bulk_bytes = options_.max_bulk_bytes;
  options.connection.request.max_request_bytes = options_.max_request_bytes;
  options.connection.max_output_bytes = options_.max_output_bytes;
  options.connection.max_output_total_bytes = options_.max_output_total_bytes;
  info_.max_bulk_bytes = options_.max_bulk_bytes;
  const int threads = std::max(static_cast<int>(options_.io_threads), 1);
  for (options.index = 0; options.index < threads; ++options.index) {
    threads_.push_back(std::make_unique<IoThread>(options, shared_, random_.Next()));
    threads_.back()->SetCatalogWanted([this] { watcher_->Refresh(); });
  }
  clients_.SetThreads(Threads());
}

std::vector<IoThread*> ProxyServerImpl::Threads() const {
  std::vector<IoThread*> threads;
  for (const auto& thread : threads_) threads.push_back(thread.get());
  return threads;
}

absl::Status ProxyServerImpl::Listen() {
  auto adopt = [this](size_t thread, asio::ip::tcp::socket socket) {
    threads_[thread]->Adopt(std::move(socket), next_client_id_.fetch_add(1));
  };
  for (const std::string& address : options_.listen) {
    auto acceptor = std::make_unique<Acceptor>(Threads(), shared_, kTooManyClients, adopt);
    KDB_RETURN_IF_ERROR(acceptor->Listen(address));
    acceptors_.push_back(std::move(acceptor));
  }
  if (acceptors_.empty()) return absl::InvalidArgumentError("no address to listen on is given");
  info_.port = acceptors_.front()->port();
  return absl::OkStatus();
}

absl::Status ProxyServerImpl::ListenForKv() {
  if (options_.kv_listen.empty()) return absl::OkStatus();
  kv_server_ = std::make_unique<KvServer>(Threads(), shared_, options_.max_bulk_bytes,
                                          options_.max_output_bytes);
  return kv_server_->Listen(options_.kv_listen);
}

void ProxyServerImpl::WatchCatalog() {
  rpc::CatalogWatcherOptions options;
  options.meta_seeds = options_.meta_seeds;
  options.kv_seeds = options_.kv_seeds;
  options.cluster_id = options_.cluster_id;
  watcher_ = std::make_unique<rpc::CatalogWatcher>(
      std::move(options), [this](const catalog::Catalog& catalog) { OnCatalog(catalog); }, logger_,
      Random(random_.Next()));
}

void ProxyServerImpl::OnCatalog(const catalog::Catalog& catalog) {
  auto table = shard::SlotTable::Build(catalog);
  if (!table.ok()) {
    logger_->error("catalog version {} is refused: {}", catalog.version(),
                   std::string(table.status().message()));
    return;
  }
  catalog_->Learn(rpc::MetaServersOf(catalog));
  // First: who was answered by the table finds the server ready.
  loaded_.store(true);
  for (const auto& thread : threads_) thread->SetCatalog(*table);
}

bool ProxyServerImpl::alive() {
  Clock::Duration now = clock_.Monotonic();
  return std::all_of(threads_.begin(), threads_.end(), [now](const auto& thread) {
    Clock::Duration last = thread->last_tick();
    return last == Clock::Duration::zero() || now - last < kStuck;
  });
}

bool ProxyServerImpl::Drain(std::chrono::milliseconds limit) {
  auto until = std::chrono::steady_clock::now() + limit;
  draining_.store(true);
  for (const auto& acceptor : acceptors_) acceptor->Stop();
  if (kv_server_ != nullptr) kv_server_->Drain();
  for (const auto& thread : threads_) thread->Drain();
  auto drained = [this] {
    return std::all_of(threads_.begin(), threads_.end(),
                       [](const auto& thread) { return thread->drained(); });
  };
  MutexLock lock(shared_.drain_mu);
  while (!drained()) {
    if (!shared_.drain_cv.WaitUntil(shared_.drain_mu, until)) return drained();
  }
  return true;
}

void ProxyServerImpl::Stop() {
  if (std::exchange(stopped_, true)) return;
  draining_.store(true);
  password_check_.reset();
  housekeeping_.reset();
  for (const auto& acceptor : acceptors_) acceptor->Stop();
  if (kv_server_ != nullptr) kv_server_->Stop();
  for (const auto& thread : threads_) thread->Stop();
  watcher_.reset();
  catalog_.reset();
  clients_.SetThreads({});
  acceptors_.clear();
  kv_server_.reset();
  threads_.clear();
}

}  // namespace

std::unique_ptr<ProxyServer> ProxyServer::Create(const ProxyOptions& options, const Clock& clock,
                                                 Random random, obs::Registry& metrics,
                                                 obs::Logger logger) {
  return std::make_unique<ProxyServerImpl>(options, clock, random, metrics, std::move(logger));
}

}  // namespace kdb::proxy

#include "pkg/rpc/catalog_watcher.h"

#include <algorithm>
#include <utility>

#include "pkg/rpc/channel.h"
#include "pkg/rpc/meta_client.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::rpc {

CatalogWatcher::CatalogWatcher(CatalogWatcherOptions options, OnCatalog on_catalog,
                               obs::Logger logger, Random random)
    : options_(std::move(options)),
      logger_(std::move(logger)),
      on_catalog_(std::move(on_catalog)),
      random_(random),
      cluster_id_(options_.cluster_id),
      thread_([this] { Run(); }) {}

CatalogWatcher::~CatalogWatcher() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    if (running_ != nullptr) running_->TryCancel();
    cv_.NotifyAll();
  }
  thread_.join();
}

void CatalogWatcher::Refresh() {
  MutexLock lock(mu_);
  const Clock::time_point now = Clock::now();
  if (now - last_refresh_ < options_.min_backoff) return;
  last_refresh_ = now;
  refresh_ = true;
  if (running_ != nullptr) running_->TryCancel();
  cv_.NotifyAll();
}

void CatalogWatcher::Run() {
  meta_servers_ = options_.meta_seeds;
  size_t next = meta_servers_.empty() ? 0 : random_.Uniform(meta_servers_.size());
  int failures = 0;
  while (!stopping()) {
    bool answered = false;
    if (!meta_servers_.empty()) {
      const std::string server = meta_servers_[next % meta_servers_.size()];
      answered = Watch(server);
      next = (next + 1) % meta_servers_.size();
    }
    failures = answered ? 0 : failures + 1;
    // A round without an answer: meta is down, or not reachable from here.
    const int round = static_cast<int>(std::max<size_t>(meta_servers_.size(), 1));
    if (failures > 0 && failures % round == 0) AskKvServers();
    if (!Pause(failures / round)) return;
  }
}

bool CatalogWatcher::Watch(const std::string& address) {
  grpc::ClientContext context;
  {
    MutexLock lock(mu_);
    if (stopping_) return false;
    refresh_ = false;
    running_ = &context;
  }
  auto stub = metapb::Meta::NewStub(NewChannel(address, "watch"));
  metapb::WatchRequest request;
  request.set_version(version_);
  auto stream = stub->Watch(&context, request);
  metapb::WatchReply reply;
  bool answered = false;
  while (stream->Read(&reply)) {
    answered = true;
    Take(reply.catalog(), address);
  }
  grpc::Status status = stream->Finish();
  logger_->debug("catalog watch at {} ended: {}", address, status.error_message());
  MutexLock lock(mu_);
  running_ = nullptr;
  // A stream that lasted, on a catalog that did not change, is no failure either.
  return answered || refresh_;
}

void CatalogWatcher::AskKvServers() {
  for (const std::string& address : options_.kv_seeds) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options_.kv_timeout);
    {
      MutexLock lock(mu_);
      if (stopping_) return;
      running_ = &context;
    }
    auto stub = shardpb::Admin::NewStub(NewChannel(address, "catalog"));
    shardpb::QueryReply reply;
    grpc::Status status = stub->Query(&context, {}, &reply);
    {
      MutexLock lock(mu_);
      running_ = nullptr;
    }
    if (status.ok()) Take(reply.catalog(), address);
  }
}

void CatalogWatcher::Take(const catalog::Catalog& catalog, const std::string& from) {
  if (catalog.version() <= version_) return;  // also that of a server which has none yet: version 0
  if (!cluster_id_.empty() && catalog.cluster_id() != cluster_id_) {
    logger_->warn("catalog from {} refused: it is of cluster {}, this is cluster {}", from,
                  catalog.cluster_id(), cluster_id_);
    return;
  }
  cluster_id_ = catalog.cluster_id();
  version_ = catalog.version();
  if (!options_.meta_seeds.empty()) {
    meta_servers_ = WithLearned(options_.meta_seeds, MetaServersOf(catalog));
  }
  on_catalog_(catalog);
}

bool CatalogWatcher::Pause(int failures) {
  auto bound = std::min<std::chrono::milliseconds>(
      options_.min_backoff * (1 << std::min(failures, 10)), options_.max_backoff);
  const Clock::time_point until =
      Clock::now() + std::chrono::microseconds(bound.count() * (500 + random_.Uniform(501)));
  MutexLock lock(mu_);
  while (!stopping_ && !refresh_ && Clock::now() < until) cv_.WaitUntil(mu_, until);
  return !stopping_;
}

bool CatalogWatcher::stopping() {
  MutexLock lock(mu_);
  return stopping_;
}

}  // namespace kdb::rpc

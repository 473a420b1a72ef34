#include "pkg/proxy/io_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <utility>

#include "pkg/net/address.h"

namespace kdb::proxy {
namespace {

constexpr size_t kScratchBytes = 64 << 10;
constexpr auto kTickInterval = std::chrono::milliseconds(250);

void AddHandlers(std::span<const redis::Command> commands,
                 std::unordered_map<const redis::Command*, LocalHandler>* handlers) {
  for (const redis::Command& command : commands) {
    if (LocalHandler handler = FindLocalHandler(command.name)) handlers->emplace(&command, handler);
    AddHandlers(command.subcommands, handlers);
  }
}

}  // namespace

IoThread::IoThread(const IoThreadOptions& options, IoShared& shared, uint64_t seed)
    : options_(options),
      shared_(shared),
      io_(1),
      executor_(io_),
      links_(io_, fmt::format("{}/{}", options.proxy_name, options.index)),
      stats_(shared.metrics),
      scratch_(kScratchBytes),
      router_(routing::Router::Create(options.router, links_, executor_, shared.context.clock,
                                      Random(seed), shared.registry)),
      work_(io_.get_executor()) {
  for (const redis::Command* command : redis::AllCommands()) {
    AddHandlers(std::span(command, 1), &handlers_);
  }
  router_->SetResume([this] { ResumeBlocked(); });
}

void IoThread::Stop() {
  if (std::exchange(stopped_, true)) return;
  io_.stop();
  if (thread_.joinable()) thread_.join();
  // This thread is the only one left. Tasks that were posted still find the router.
  draining_ = false;
  while (!connections_.empty()) connections_.begin()->second->Close(CloseReason::kDrain);
  io_.restart();
  io_.poll();
  dirty_.clear();
  router_.reset();
  // Links that were given up are destroyed by tasks.
  io_.restart();
  io_.poll();
  stats_.Publish();
}

void IoThread::Start() {
  thread_ = std::thread([this] { Run(); });
}

void IoThread::Run() {
  pthread_setname_np(pthread_self(), fmt::format("io-{}", options_.index).c_str());
  Tick();
  io_.run();
}

// --- Connections.

void IoThread::Adopt(asio::ip::tcp::socket socket, uint64_t client_id) {
  asio::post(io_, [this, client_id, socket = std::move(socket)]() mutable {
    if (stopped_) return;
    asio::error_code error;
    auto peer = socket.remote_endpoint(error);
    auto local = socket.local_endpoint(error);
    shared_.info.connected.fetch_add(1);
    shared_.metrics.connections.Increment();
    ClientInfo info;
    info.id = client_id;
    info.address = net::FormatAddress(peer);
    info.local_address = net::FormatAddress(local);
    info.since = clock().Monotonic();
    info.last_command_at = info.since;
    info.authenticated = !shared_.context.passwords.required();
    auto connection = std::make_shared<Connection>(std::move(socket), *this, std::move(info));
    connections_.emplace(client_id, connection);
    connection->Start();
    if (draining_) connection->Drain();
  });
}

void IoThread::Remove(Connection& connection, CloseReason reason) {
  shared_.info.connected.fetch_sub(1);
  shared_.metrics.connections.Decrement();
  shared_.metrics.closed[static_cast<size_t>(reason)]->Increment();
  if (reason == CloseReason::kSlowReader) {
    shared_.logger->warn("client {} was cut off: too many bytes of replies wait for it",
                         connection.info_.address);
  }
  // The caller is a member function of the connection: it goes a little later.
  auto it = connections_.find(connection.info_.id);
  dirty_.push_back(std::move(it->second));
  connections_.erase(it);
  MarkDirty(*dirty_.back());
  CheckDrained();
}

void IoThread::MarkDirty(Connection& connection) {
  if (!connection.dirty_) {
    connection.dirty_ = true;
    dirty_.push_back(connection.shared_from_this());
  }
  if (turn_posted_) return;
  turn_posted_ = true;
  executor_.Post([this] { TurnDirty(); });
}

void IoThread::TurnDirty() {
  turn_posted_ = false;
  std::vector<std::shared_ptr<Connection>> dirty;
  dirty.swap(dirty_);
  for (const std::shared_ptr<Connection>& connection : dirty) {
    connection->dirty_ = false;
    connection->Turn();
  }
  CheckDrained();
}

void IoThread::NoteBlocked(Connection& connection) {
  if (std::exchange(connection.blocked_, true)) return;
  blocked_.push_back(connection.weak_from_this());
}

void IoThread::ResumeBlocked() {
  std::vector<std::weak_ptr<Connection>> blocked;
  blocked.swap(blocked_);
  for (const std::weak_ptr<Connection>& weak : blocked) {
    std::shared_ptr<Connection> connection = weak.lock();
    if (connection == nullptr) continue;
    connection->blocked_ = false;
    MarkDirty(*connection);
  }
}

bool IoThread::output_over_total() const {
  return shared_.output_bytes.load(std::memory_order_relaxed) - published_output_ +
             stats_.output() >
         static_cast<int64_t>(options_.connection.max_output_total_bytes);
}

LocalHandler IoThread::LocalHandlerOf(const redis::Command& command) const {
  auto handler = handlers_.find(&command);
  return handler == handlers_.end() ? nullptr : handler->second;
}

// --- The rest.

void IoThread::SetCatalog(std::shared_ptr<const shard::SlotTable> table) {
  executor_.Post([this, table = std::move(table)]() mutable {
    if (router_ == nullptr) return;  // a catalog that comes while this stops
    links_.SetClusterId(table->catalog().cluster_id());
    router_->SetCatalog(std::move(table));
  });
}

void IoThread::Drain() {
  executor_.Post([this] {
    draining_ = true;
    // Not by iterator: a connection with nothing to do closes later, in its Turn.
    for (const auto& [id, connection] : connections_) connection->Drain();
    CheckDrained();
  });
}

void IoThread::Release() {
  --holds_;
  CheckDrained();
}

void IoThread::CheckDrained() {
  if (!draining_ || drained_.load()) return;
  if (holds_ > 0 || !connections_.empty() || !router_->idle()) return;
  router_->CloseSessions();
  drained_.store(true);
  MutexLock lock(shared_.drain_mu);
  shared_.drain_cv.NotifyAll();
}

void IoThread::ListClients(absl::AnyInvocable<void(std::vector<ClientInfo>)> done) {
  executor_.Post([this, done = std::move(done)]() mutable {
    std::vector<ClientInfo> clients;
    for (const auto& [id, connection] : connections_) clients.push_back(connection->info());
    done(std::move(clients));
  });
}

void IoThread::Tick() {
  last_tick_.store(clock().Monotonic(), std::memory_order_relaxed);
  CommandStats::Totals totals = stats_.Publish();
  shared_.info.commands_processed.fetch_add(totals.commands);
  shared_.info.input_bytes.fetch_add(totals.received);
  shared_.info.output_bytes.fetch_add(totals.sent);
  shared_.output_bytes.fetch_add(stats_.output() - published_output_);
  published_output_ = stats_.output();
  CheckDrained();
  executor_.PostAfter(kTickInterval, [this] { Tick(); });
}

}  // namespace kdb::proxy

// One I/O thread: an event loop, a router with its links to the shards, and the connections that it
// serves.
#pragma once

#include <asio/buffer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/net/asio_executor.h"
#include "pkg/obs/log.h"
#include "pkg/proxy/connection.h"
#include "pkg/proxy/local_command.h"
#include "pkg/routing/frame_shard_link.h"
#include "pkg/routing/router.h"

namespace kdb::proxy {

struct IoThreadOptions {
  int index = 0;
  std::string proxy_name;  // for the shards' logs
  routing::RouterOptions router;
  ConnectionLimits connection;
};

// What all threads of a proxy share. Outlives them.
struct IoShared {
  ProxyContext context;
  ProxyInfo& info;
  ConnectionMetrics& metrics;
  obs::Registry& registry;
  obs::Logger logger;
  std::atomic<int64_t> output_bytes{0};  // unread replies of all clients

  // For who waits until every thread is drained.
  Mutex drain_mu{};
  CondVar drain_cv{};
};

class IoThread {
 public:
  IoThread(const IoThreadOptions& options, IoShared& shared, uint64_t seed);
  ~IoThread() { Stop(); }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  // Before Start. `wanted` is called on this thread when the catalog seems to be old.
  void SetCatalogWanted(absl::AnyInvocable<void()> wanted) {
    router_->SetCatalogWanted(std::move(wanted));
  }
  void Start();
  // Ends the loop and drops whatever is in flight. From the thread that called Start. Idempotent.
  void Stop();

  // --- From any thread.

  asio::io_context& io() { return io_; }
  Executor& executor() { return executor_; }
  void Adopt(asio::ip::tcp::socket socket, uint64_t client_id);
  void SetCatalog(std::shared_ptr<const shard::SlotTable> table);
  // Finishes what is in flight, then closes. drained() tells when.
  void Drain();
  bool drained() const { return drained_.load(); }
  // When the loop last came round, which it does at least every 250 ms; monotonic.
  Clock::Duration last_tick() const { return last_tick_.load(std::memory_order_relaxed); }
  // `done` is called on this thread.
  void ListClients(absl::AnyInvocable<void(std::vector<ClientInfo>)> done);

  // --- On this thread only, or before Start.

  // It is not drained until released as often: there are others that serve clients on it.
  void Hold() { ++holds_; }
  void Release();

  routing::Router& router() { return *router_; }
  const Clock& clock() const { return shared_.context.clock; }
  const ConnectionLimits& limits() const { return options_.connection; }
  const ProxyContext& context() const { return shared_.context; }
  CommandStats& stats() { return stats_; }
  asio::mutable_buffer scratch() { return asio::buffer(scratch_); }
  bool output_over_total() const;
  LocalHandler LocalHandlerOf(const redis::Command& command) const;
  // Its Turn comes at the end of this turn of the loop.
  void MarkDirty(Connection& connection);
  // Its Turn comes when the router has room.
  void NoteBlocked(Connection& connection);
  void Remove(Connection& connection, CloseReason reason);

 private:
  void Run();
  void TurnDirty();
  void ResumeBlocked();
  void Tick();
  void CheckDrained();

  const IoThreadOptions options_;
  IoShared& shared_;
  asio::io_context io_;
  net::AsioExecutor executor_;
  routing::FrameShardLinkFactory links_;
  CommandStats stats_;
  std::unordered_map<const redis::Command*, LocalHandler> handlers_;
  std::vector<char> scratch_;
  std::unique_ptr<routing::Router> router_;

  // Shared with the asynchronous operations of each.
  std::unordered_map<uint64_t, std::shared_ptr<Connection>> connections_;
  std::vector<std::shared_ptr<Connection>> dirty_;
  std::vector<std::weak_ptr<Connection>> blocked_;
  bool turn_posted_ = false;
  int holds_ = 0;
  bool draining_ = false;
  int64_t published_output_ = 0;
  bool stopped_ = false;
  std::atomic<bool> drained_ = false;
  std::atomic<Clock::Duration> last_tick_{};

  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace kdb::proxy

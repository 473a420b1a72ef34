// A born server's part in the meta group: engine, state machine, log, transport and the Raft node
// over them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/executor.h"
#include "pkg/base/mutex.h"
#include "pkg/env/file_system.h"
#include "pkg/meta/catalog_state.h"
#include "pkg/meta/replica.h"
#include "pkg/meta/state_hub.h"
#include "pkg/net/loop.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raftnode/identity.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/rpc/raft_transport.h"
#include "pkg/storage/engine.h"

namespace kdb::meta {

// Opens the engine of a directory: RocksDB in servers, memory in tests.
using EngineFactory =
    std::function<absl::StatusOr<std::unique_ptr<storage::Engine>>(const std::string& dir)>;

// What the process gives to a meta server; all of it outlives the server.
struct Environment {
  FileSystem& fs;
  const Clock& clock;
  obs::Registry& metrics;
  obs::Logger logger;
  EngineFactory open_engine;
  // The process must end: called at most once per cause, from any thread, must not block.
  std::function<void(const absl::Status&)> on_fatal;
  uint64_t seed = 0;  // of all randomness
};

// Thread-safe after Start.
class GroupMember final : private raftnode::Observer, private rpc::RaftSink {
 public:
  struct Options {
    std::string data_dir;
    raftnode::Options raft;  // wal_dir is set from data_dir
    rpc::TransportOptions transport;
  };
  // Where the member reports to and is used from; all outlive it.
  struct Links {
    Replica& replica;
    StateHub& hub;
    rpc::RaftService& raft_service;
    net::Loop& loop;  // of all connections; runs the raft role
  };

  // Recovers state and log of the directory and takes part in the group from then on. `identity` is
  // born. DATA_LOSS: damage, with what to do.
  static absl::StatusOr<std::unique_ptr<GroupMember>> Start(const Options& options,
                                                            const Environment& env,
                                                            const raftnode::Identity& identity,
                                                            Links links);
  // Leaves its links and stops.
  ~GroupMember() override;

  // OK, or why the log's disk is not well.
  absl::Status health() const;

 private:
  GroupMember(const Environment& env, const raftnode::Identity& identity, Links links);

  absl::Status Open(const Options& options);
  std::vector<raftnode::Peer> Peers() const;

  void OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) override;
  void OnPeerClock(raft::NodeId, int64_t) override {}  // the catalog has no log time
  void OnFatal(const absl::Status& status) override;
  void OnDegraded(bool degraded, const std::string& why) override;
  absl::Status Accept(const raftpb::Hello& hello) override;
  void Deliver(std::vector<raft::Message> messages) override;

  const Environment& env_;
  const catalog::BirthCertificate birth_;
  const rpc::MemberIdentity self_;
  const Links links_;

  mutable Mutex mu_;
  absl::Status health_ ABSL_GUARDED_BY(mu_);

  // In the order that they depend on each other.
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<CatalogState> machine_;
  std::unique_ptr<rpc::RaftTransport> transport_;
  std::unique_ptr<Executor> log_role_, apply_role_, background_role_;
  std::unique_ptr<raftnode::RaftNode> node_;
};

}  // namespace kdb::meta

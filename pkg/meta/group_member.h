// A born server's part in the meta group: engine, state machine, log, transport and the Raft node
// over them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/env/file_system.h"
#include "pkg/meta/catalog_log.h"
#include "pkg/meta/catalog_state.h"
#include "pkg/meta/state_hub.h"
#include "pkg/net/loop.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/identity.h"
#include "pkg/raftnode/member_keeper.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/raftnode/role_threads.h"
#include "pkg/rpc/member_streams.h"
#include "pkg/rpc/snapshot_streams.h"
#include "pkg/storage/engine_factory.h"

namespace kdb::meta {

// What the process gives to a meta server; all of it outlives the server.
struct Environment {
  FileSystem& fs;
  const Clock& clock;
  obs::Registry& metrics;
  obs::Logger logger;
  storage::EngineFactory open_engine;
  // The process must end: called at most once per cause, from any thread, must not block.
  std::function<void(const absl::Status&)> on_fatal;
  uint64_t seed = 0;  // of all randomness
};

// Thread-safe after Start.
class GroupMember final : private raftnode::Observer {
 public:
  struct Options {
    std::string data_dir;
    raftnode::Options raft;  // wal_dir is set from data_dir
    rpc::TransportOptions transport;
  };
  // Where the member reports to and is used from; all outlive it.
  struct Links {
    CatalogLog& log;
    StateHub& hub;
    rpc::RaftService& raft_service;
    rpc::SnapshotService& snapshot_service;
    raftnode::Newcomers& newcomers;
    net::Loop& loop;  // of all connections; runs the raft role
    // This member is to be stopped and started again: the start installs what it has fetched. Must
    // not block.
    std::function<void()> restart;
  };

  // Recovers state and log of the directory and takes part in the group from then on. `identity` is
  // born. DATA_LOSS: damage, with what to do.
  static absl::StatusOr<std::unique_ptr<GroupMember>> Start(const Options& options,
                                                            const Environment& env,
                                                            const raftnode::Identity& identity,
                                                            Links links);
  // Leaves its links and stops.
  ~GroupMember() override;

  const raftnode::GroupView& group() const { return group_; }
  raftnode::MemberKeeper& keeper() { return *keeper_; }

 private:
  GroupMember(const Environment& env, const raftnode::Identity& identity, Links links);

  absl::Status Open(const Options& options);
  rpc::SnapshotEnvironment ForSnapshots();
  raftnode::MemberKeeper::Parts ForKeeper(const raftnode::Options& raft);

  void OnLeadership(raft::Role role, raft::Term term, raft::NodeId leader) override;
  void OnPeerClock(raft::NodeId, int64_t) override {}  // the catalog has no log time
  void OnMembership(const raftnode::Membership& membership) override;
  void OnSnapshotNeeded(std::optional<raft::Index> index) override;
  void OnFatal(const absl::Status& status) override;
  void OnDegraded(bool degraded, const std::string& why) override;
  void OnDisk(const raftnode::DiskStatus& disk) override { group_.SetDisk(disk); }

  const Environment& env_;
  const catalog::BirthCertificate birth_;
  const rpc::MemberIdentity self_;
  const Links links_;
  raftnode::GroupView group_;

  // In the order that they depend on each other.
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<CatalogState> machine_;
  std::unique_ptr<rpc::MemberStreams> streams_;
  raftnode::RoleThreads threads_;
  std::unique_ptr<rpc::SnapshotStreams> snapshots_;
  std::unique_ptr<raftnode::RaftNode> node_;
  std::unique_ptr<raftnode::MemberKeeper> keeper_;  // outlives the node
};

}  // namespace kdb::meta

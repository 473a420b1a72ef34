// The snapshots of one member, both ways: what it serves, and what it fetches from its leader.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "pkg/raftnode/group_view.h"
#include "pkg/raftnode/raft_node.h"
#include "pkg/rpc/raft_transport.h"
#include "pkg/rpc/snapshot_service.h"
#include "pkg/snapshot/fetcher.h"
#include "pkg/snapshot/install.h"
#include "pkg/snapshot/source.h"
#include "pkg/storage/engine.h"

namespace kdb::rpc {

// What the streams stand on; all of it outlives them.
struct SnapshotEnvironment {
  FileSystem& fs;
  const Clock& clock;
  Executor& executor;  // may block
  asio::io_context& io;
  SnapshotService& service;
  storage::Engine& engine;
  obs::Logger logger;
  obs::Registry& metrics;
};

struct SnapshotOptions {
  snapshot::Paths paths;
  uint64_t bytes_per_second = 128 << 20;  // served, to all together; 0: as fast as possible
};

// Before a member is started: snapshot::Install, and a line of what it did.
absl::Status InstallSnapshot(FileSystem& fs, const snapshot::Paths& paths, const wal::Options& wal,
                             obs::Registry& metrics, const obs::Logger& logger);

// Thread-safe.
class SnapshotStreams {
 public:
  // `on_fetched`: a snapshot is recorded to be installed, and nothing else is fetched; called once,
  // must not block.
  SnapshotStreams(SnapshotOptions options, const SnapshotEnvironment& env, MemberIdentity self,
                  std::function<void()> on_fetched);
  ~SnapshotStreams();

  // Serves members of `group` and fetches for `node` from now on, until Close.
  void Open(const raftnode::GroupView& group, raftnode::RaftNode& node);
  // Safe to repeat.
  void Close();
  // As raftnode::Observer says.
  void OnSnapshotNeeded(std::optional<raft::Index> index);

 private:
  snapshot::SourceOptions ForSource() const;
  snapshot::FetcherOptions ForFetcher() const;
  std::unique_ptr<snapshot::Link> Connect(const raftnode::GroupView& group,
                                          snapshot::LinkHandler& handler) const;

  const SnapshotOptions options_;
  const SnapshotEnvironment env_;
  const MemberIdentity self_;
  const std::function<void()> on_fetched_;

  std::unique_ptr<snapshot::Source> source_;
  Mutex mu_;
  std::unique_ptr<snapshot::Fetcher> fetcher_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::rpc

// A born member with everything that it owns: threads, streams, engine, replica; attached to the
// server's services for as long as it lives.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pkg/raftnode/identity.h"
#include "pkg/raftnode/member_keeper.h"
#include "pkg/rpc/member_streams.h"
#include "pkg/rpc/snapshot_streams.h"
#include "pkg/server/command_stream.h"
#include "pkg/server/replica.h"
#include "pkg/storage/engine_factory.h"

namespace kdb::server {

struct GroupMemberOptions {
  std::string data_dir;
  ReplicaOptions replica;
  size_t reader_threads = 2;
  uint64_t snapshot_bytes_per_second = 128 << 20;  // served; 0: as fast as possible
};

// What a member uses of its server; all of it outlives the member.
struct Services {
  FileSystem& fs;
  const Clock& clock;
  obs::Registry& metrics;
  obs::Logger logger;
  rpc::RaftService& raft;
  rpc::SnapshotService& snapshots;
  CommandService& commands;
  raftnode::Newcomers& newcomers;
  net::Loop& loop;  // of all connections; runs the raft role
  std::function<void(const absl::Status&)> on_fatal;
  // This member is to be stopped and started again: the start installs what it has fetched. Must
  // not block.
  std::function<void()> restart;
};

class GroupMember final {
 public:
  // Installs a snapshot first if one was fetched.
  static absl::StatusOr<std::unique_ptr<GroupMember>> Start(
      const GroupMemberOptions& options, const raftnode::Identity& identity,
      const storage::EngineFactory& open_engine, const Services& services);
  ~GroupMember();

  // Before a planned stop: hands leadership over if it can, and flushes the engine so that the next
  // start replays little.
  void PrepareStop();

  Replica& replica() { return *replica_; }
  raftnode::MemberKeeper& keeper() { return *keeper_; }
  const catalog::BirthCertificate& birth() const { return birth_; }
  raft::NodeId id() const { return self_.id; }
  uint64_t EngineBytes() const { return engine_->ApproximateBytes(); }

 private:
  struct Threads;

  GroupMember(const raftnode::Identity& identity, const Services& services);
  absl::Status Open(const GroupMemberOptions& options, const storage::EngineFactory& open_engine);
  rpc::SnapshotEnvironment ForSnapshots();
  ReplicaEnvironment Environment();
  raftnode::MemberKeeper::Parts ForKeeper(const raftnode::Options& raft);

  const Services services_;
  const catalog::BirthCertificate birth_;
  const rpc::MemberIdentity self_;

  // In the order of construction; the replica goes first, since all the others outlive its node.
  std::unique_ptr<Threads> threads_;
  std::unique_ptr<storage::Engine> engine_;
  std::unique_ptr<rpc::MemberStreams> streams_;
  std::unique_ptr<rpc::SnapshotStreams> snapshots_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<raftnode::MemberKeeper> keeper_;
};

}  // namespace kdb::server

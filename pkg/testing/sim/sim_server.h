// One kv server of the simulation: its disk and clock, which outlive its process, and the process,
// a server::Replica on its own executors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pkg/env/memory_file_system.h"
#include "pkg/obs/metrics.h"
#include "pkg/server/replica.h"
#include "pkg/testing/fake_clock.h"
#include "pkg/testing/sim/group_watch.h"
#include "pkg/testing/sim/stream.h"
#include "pkg/testing/sim/world.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::sim {

enum class End {
  kStop,      // cleanly; what the engine did not flush is gone with its memory
  kKill,      // what was written to the log and not synced is still there
  kPowerOff,  // it is gone, or torn
};

// Not thread-safe; Start and Stop are not called from its own tasks.
class SimServer {
 public:
  // `world` outlives it.
  SimServer(World& world, raft::NodeId id);
  ~SimServer();

  // A server that cannot start is a problem of the simulation.
  void Start();
  void Stop(End how);
  void Freeze();
  // One of its threads gets no time: the others go on without it.
  void Starve(size_t thread);
  void Thaw();
  size_t threads() const { return executors_.size(); }
  // How long a sync takes.
  void SetDisk(testing::SimLoop::Duration min, testing::SimLoop::Duration max);
  void SetNormalDisk();
  // What fits on the disk, the log's part of it.
  void SetDiskCapacity(uint64_t bytes) { fs_.SetCapacity(bytes); }
  void StallDisk() { executors_[kLog]->Pause(); }
  // The next sync fails: the process must end.
  void FailSync();
  // The power fails after `changes` more calls that change something on the disk: in the midst of
  // whatever the process does then.
  void FailPowerAfter(uint64_t changes);
  void SetDrift(double ppm);

  bool running() const { return replica_ != nullptr; }
  bool powered() const { return powered_; }
  bool leads() const { return running() && replica_->leads(); }
  std::string LeaderAddress() const;
  raft::NodeId id() const { return id_; }
  const std::string& name() const { return name_; }
  testing::EndpointId endpoint() const { return id_; }
  server::Replica& replica() { return *replica_; }
  const storage::Engine& engine() const { return engine_; }
  testing::FakeClock& clock() { return clock_; }

  // A stream's first message arrived.
  void Accept(std::shared_ptr<Stream> stream) { streams_.push_back(std::move(stream)); }

 private:
  enum Role { kRaft, kLog, kApply, kBackground, kRead1, kRead2, kRoles };

  server::ReplicaEnvironment Environment();
  void OnLeadership();
  void OnFatal(const absl::Status& status);

  World& world_;
  const raft::NodeId id_;
  const std::string name_;
  MemoryFileSystem fs_;
  WatchedEngine engine_;
  testing::FakeClock clock_;
  obs::Registry metrics_;
  std::vector<std::unique_ptr<testing::SimExecutor>> executors_;
  const std::unique_ptr<raftnode::Transport> transport_;
  std::unique_ptr<server::Replica> replica_;
  std::vector<std::shared_ptr<Stream>> streams_;
  uint64_t life_ = 0;
  bool powered_ = true;
  bool disk_fails_ = false;  // by a fault that was asked for
  bool led_ = false;
};

}  // namespace kdb::sim

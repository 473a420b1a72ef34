// Breaks things at random, as the scenario says, and repairs most of them after a while.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/testing/sim/client.h"
#include "pkg/testing/sim/cluster.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {

// Not thread-safe.
class Faults {
 public:
  // All outlive it and what it leaves in the loop.
  Faults(World& world, Cluster& cluster, std::vector<std::unique_ptr<Client>>& clients);

  void Start();
  // No more faults; everything that broke is repaired.
  void Heal();

 private:
  using Duration = testing::SimLoop::Duration;

  void ScheduleNext();
  void Inject(Fault fault);
  // Runs `repair` after a while, unless all was healed before.
  void Later(Duration min, Duration max, std::function<void()> repair);

  void End(sim::End how);
  void EndServer(SimServer& server, sim::End how);
  void FailDisk();
  void Partition();
  void CutOneWay();
  void SetWeather();
  void BreakLinks();
  void SlowDisk();
  void Freeze();
  void Transfer();
  void TurnClock();
  void KillProxy();
  void DropConnection();

  Duration Between(Duration min, Duration max);
  SimServer& AnyServer();
  SimProxy& AnyProxy();
  std::vector<testing::EndpointId> Endpoints() const;

  World& world_;
  Cluster& cluster_;
  std::vector<std::unique_ptr<Client>>& clients_;
  Random random_;
  bool healed_ = false;
};

}  // namespace kdb::sim

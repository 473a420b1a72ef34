// A whole cluster: one shard group of servers, proxies in front of it.
#pragma once

#include <memory>
#include <vector>

#include "pkg/testing/sim/sim_proxy.h"
#include "pkg/testing/sim/sim_server.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {

// Not thread-safe.
class Cluster {
 public:
  // `world` outlives it. All servers start; the proxies do after Boot.
  explicit Cluster(World& world);

  // Runs until the group owns all slots. False: it did not come to that.
  bool Boot();
  void StartProxy(SimProxy& proxy) { proxy.Start(table_); }
  // Whether all servers run and have applied the same index.
  bool Settled() const;

  const std::vector<std::unique_ptr<SimServer>>& servers() { return servers_; }
  const std::vector<std::unique_ptr<SimProxy>>& proxies() { return proxies_; }
  // nullptr: none.
  SimServer* leader() const;

 private:
  bool OwnAllSlots();

  World& world_;
  std::shared_ptr<const shard::SlotTable> table_;  // shared with all routers
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<std::unique_ptr<SimProxy>> proxies_;
};

}  // namespace kdb::sim

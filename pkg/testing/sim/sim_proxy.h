// One proxy of the simulation: a router over simulated streams.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pkg/obs/metrics.h"
#include "pkg/routing/router.h"
#include "pkg/testing/fake_clock.h"
#include "pkg/testing/sim/stream.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {

// Not thread-safe; Start and Kill are not called from its own tasks.
class SimProxy final : private routing::ShardLinkFactory {
 public:
  // All outlive it. `servers`: by address.
  SimProxy(World& world, int number, std::map<std::string, SimServer*> servers);
  ~SimProxy() override;

  void Start(std::shared_ptr<const shard::SlotTable> table);
  // The process dies with all that its clients have under way.
  void Kill();
  void BreakLinks(const std::string& why);
  void SetDrift(double ppm);

  bool running() const { return router_ != nullptr; }
  const std::string& name() const { return name_; }
  testing::EndpointId endpoint() const { return endpoint_; }
  testing::SimExecutor& executor() { return *executor_; }
  routing::Router& router() { return *router_; }
  // Counts the starts: connections of an earlier life are gone.
  uint64_t life() const { return life_; }

 private:
  class Link;

  std::unique_ptr<routing::ShardLink> Connect(uint64_t gid, const std::string& address,
                                              routing::ShardLinkHandler& handler) override;

  World& world_;
  const std::string name_;
  const testing::EndpointId endpoint_;
  const std::map<std::string, SimServer*> servers_;
  testing::FakeClock clock_;
  obs::Registry metrics_;
  std::unique_ptr<testing::SimExecutor> executor_;
  std::unique_ptr<routing::Router> router_;
  std::vector<Link*> links_;  // open ones, oldest first
  uint64_t life_ = 0;
};

}  // namespace kdb::sim

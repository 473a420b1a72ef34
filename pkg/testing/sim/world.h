// What everything in one simulation stands on.
#pragma once

#include <string>
#include <vector>

#include "pkg/testing/sim/group_watch.h"
#include "pkg/testing/sim/scenario.h"
#include "pkg/testing/sim/trace.h"
#include "pkg/testing/sim_loop.h"
#include "pkg/testing/sim_network.h"
#include "pkg/testing/sim_transport.h"
#include "proto/catalog.pb.h"

namespace kdb::sim {

// Wall clocks begin here.
inline constexpr int64_t kEpochMs = 1'700'000'000'000;
inline constexpr testing::EndpointId kFirstProxy = 100;  // servers: their member ids

struct World {
  World(const Scenario& scenario, bool print_trace);

  // The simulation has failed: `what` is a reason.
  void Problem(std::string what);

  const Scenario scenario;
  testing::SimLoop loop;
  testing::SimNetwork network;
  testing::SimRaftNetwork raft_network;
  Trace trace;
  GroupWatch watch;
  catalog::BirthCertificate birth;
  std::vector<std::string> problems;
};

// The address of a member: "r1".
std::string AddressOf(raft::NodeId id);

}  // namespace kdb::sim

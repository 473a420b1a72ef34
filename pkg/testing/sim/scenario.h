// What one seed stands for: the shape of the cluster, its settings, and the faults it meets. Every
// seed draws its own subset of faults and its own rates ("swarm testing": Groce et al., ISSTA
// 2012): a bug that one fault hides shows where that fault is left out.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "pkg/routing/router.h"
#include "pkg/server/replica.h"
#include "pkg/testing/sim_network.h"

namespace kdb::sim {

enum class Fault {
  kPowerOff,    // one server, or all at once: what was not synced is gone
  kKill,        // the process dies; what it wrote is still there
  kStop,        // cleanly
  kFailedDisk,  // a sync fails, or the power in the midst of a task: the process ends
  kPartition,   // both ways
  kOneWay,      // one direction of one link, or of all links of one server
  kWeather,     // loss, duplicates, reordering, delay
  kBreakLinks,  // command streams of a proxy end
  kSlowDisk,
  kFreeze,    // a process stands still, or one of its threads
  kTransfer,  // of leadership
  kClock,     // wall clocks jump, drift changes
  kProxy,     // a proxy dies
};
inline constexpr int kFaults = 13;

struct Scenario {
  static Scenario FromSeed(uint64_t seed);

  uint64_t seed = 0;
  int servers = 3;
  int proxies = 1;
  int clients_per_proxy = 2;
  bool quiet = false;                  // hardly any writes: time, too, stands still in the log
  int pipeline = 1;                    // commands that a client has under way at most
  std::chrono::microseconds think{0};  // mean, between commands of a client
  std::vector<Fault> faults;
  std::chrono::milliseconds fault_gap{0};   // mean
  std::chrono::milliseconds fault_time{0};  // then all is healed
  testing::NetworkOptions calm;             // the network without kWeather
  server::ReplicaOptions replica;
  routing::RouterOptions router;
};

}  // namespace kdb::sim

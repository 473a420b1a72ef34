// One run of the simulation: a cluster, its clients, faults for a while; then all is healed and
// everything must be right.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pkg/testing/sim/scenario.h"

namespace kdb::sim {

struct Report {
  std::vector<std::string> problems;  // none: the run passed
  uint64_t trace_hash = 0;            // the same for the same seed
  size_t calls = 0;
  size_t unknown = 0;   // outcomes
  size_t timeouts = 0;  // calls that did not happen
  double simulated_seconds = 0;
};

// A function of the scenario alone. Broken invariants end the process (KDB_CHECK).
Report Run(const Scenario& scenario, bool print_trace);

}  // namespace kdb::sim

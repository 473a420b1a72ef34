#include "pkg/testing/sim/world.h"

#include <fmt/format.h>

#include <utility>

namespace kdb::sim {
namespace {

constexpr size_t kMaxProblems = 20;

}  // namespace

World::World(const Scenario& scenario, bool print_trace)
    : scenario(scenario),
      loop(scenario.seed + 1),
      network(loop, scenario.seed + 2),
      raft_network(network, 0),
      trace(loop, print_trace) {
  network.SetOptions(scenario.calm);
  raft_network.SetTap([this](const raft::Message& m) { watch.Sent(m); });
  birth.set_cluster_id("simulation");
  birth.set_gid(1);
  birth.add_hash_seed(scenario.seed);
  birth.add_hash_seed(~scenario.seed);
  for (int i = 1; i <= scenario.servers; ++i) {
    catalog::Member& member = *birth.add_members();
    member.set_id(static_cast<uint64_t>(i));
    member.set_uuid(fmt::format("directory-{}", i));
    member.set_address(AddressOf(member.id()));
  }
}

void World::Problem(std::string what) {
  trace.Note("PROBLEM", "{}", what);
  if (problems.size() < kMaxProblems) problems.push_back(std::move(what));
}

std::string AddressOf(raft::NodeId id) { return fmt::format("r{}", id); }

}  // namespace kdb::sim

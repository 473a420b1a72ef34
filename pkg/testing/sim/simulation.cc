#include "pkg/testing/sim/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "pkg/kv/digest.h"
#include "pkg/testing/sim/checks.h"
#include "pkg/testing/sim/client.h"
#include "pkg/testing/sim/cluster.h"
#include "pkg/testing/sim/faults.h"
#include "pkg/testing/sim/world.h"

namespace kdb::sim {
namespace {

using std::chrono::seconds;

// Simulated time after the heal within which each client must get answers again: an election, the
// back-off of the proxies' links and their patience with a silent leader.
constexpr seconds kProgressLimit{15};
constexpr uint64_t kProgressCalls = 5;

class Simulation {
 public:
  Simulation(const Scenario& scenario, bool print_trace);

  Report Run();

 private:
  void RunFaults();
  bool ResumeProgress();
  bool DrainClients();
  bool ReadAll();
  void CompareReplicas();
  bool Require(bool holds, const char* what);
  Report MakeReport() const;

  World world_;
  Cluster cluster_;
  OpLog log_;
  std::vector<std::unique_ptr<Client>> clients_;
  Faults faults_;
};

Simulation::Simulation(const Scenario& scenario, bool print_trace)
    : world_(scenario, print_trace),
      cluster_(world_),
      log_(world_),
      faults_(world_, cluster_, clients_) {
  for (const auto& proxy : cluster_.proxies()) {
    for (int i = 0; i < scenario.clients_per_proxy; ++i) {
      int number = static_cast<int>(clients_.size());
      clients_.push_back(std::make_unique<Client>(world_, log_, *proxy, number));
    }
  }
}

Report Simulation::Run() {
  if (!Require(cluster_.Boot(), "the group was not born")) return MakeReport();
  for (const auto& proxy : cluster_.proxies()) cluster_.StartProxy(*proxy);
  RunFaults();
  faults_.Heal();
  if (Require(ResumeProgress(), "no progress after all was healed") &&
      Require(DrainClients(), "calls without an answer") &&
      Require(ReadAll(), "the last reads failed")) {
    CheckAccounts(log_.calls(), world_);
    CompareReplicas();
  }
  CheckCalls(log_.calls(), world_);
  return MakeReport();
}

void Simulation::RunFaults() {
  for (const auto& client : clients_) client->Start();
  faults_.Start();
  world_.loop.RunFor(world_.scenario.fault_time);
}

bool Simulation::ResumeProgress() {
  std::vector<uint64_t> goals;
  for (const auto& client : clients_) goals.push_back(client->successes() + kProgressCalls);
  return world_.loop.RunUntil(
      [&] {
        for (size_t i = 0; i < clients_.size(); ++i) {
          if (clients_[i]->successes() < goals[i]) return false;
        }
        return true;
      },
      kProgressLimit);
}

bool Simulation::DrainClients() {
  for (const auto& client : clients_) client->Stop();
  auto idle = [this] {
    return std::all_of(clients_.begin(), clients_.end(),
                       [](const auto& client) { return client->under_way() == 0; });
  };
  // Commands that wait for a leader are answered at their deadline.
  return world_.loop.RunUntil(idle, world_.scenario.router.deadline + seconds(2));
}

bool Simulation::ReadAll() {
  Client& reader = *clients_.front();
  size_t first = log_.calls().size();
  reader.ReadAll();
  if (!world_.loop.RunUntil([&] { return reader.under_way() == 0; }, kProgressLimit)) return false;
  return std::all_of(log_.calls().begin() + static_cast<ptrdiff_t>(first), log_.calls().end(),
                     [](const Call& call) { return call.outcome == Outcome::kDone; });
}

void Simulation::CompareReplicas() {
  bool settled = world_.loop.RunUntil([this] { return cluster_.Settled(); }, seconds(20));
  if (!Require(settled, "the replicas did not catch up")) return;
  std::vector<uint64_t> digests;
  for (const auto& server : cluster_.servers()) {
    absl::StatusOr<uint64_t> digest = kv::StateDigest(server->engine());
    if (!Require(digest.ok(), "a state cannot be read")) return;
    digests.push_back(*digest);
  }
  bool same = std::all_of(digests.begin(), digests.end(),
                          [&](uint64_t digest) { return digest == digests.front(); });
  Require(same, "the replicas' states differ");
}

bool Simulation::Require(bool holds, const char* what) {
  if (!holds) world_.Problem(what);
  return holds;
}

Report Simulation::MakeReport() const {
  Report report;
  report.problems = world_.problems;
  report.trace_hash = world_.trace.hash();
  report.calls = log_.calls().size();
  for (const Call& call : log_.calls()) {
    if (call.outcome == Outcome::kOpen) ++report.unknown;
    if (call.outcome == Outcome::kNothing) ++report.timeouts;
  }
  report.simulated_seconds = static_cast<double>(world_.loop.Now().count()) / 1e9;
  return report;
}

}  // namespace

Report Run(const Scenario& scenario, bool print_trace) {
  return Simulation(scenario, print_trace).Run();
}

}  // namespace kdb::sim

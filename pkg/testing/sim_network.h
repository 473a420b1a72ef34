// A network that loses, duplicates, delays and reorders, and that can be cut, also in one direction
// only. It carries anything: a message is what happens when it arrives.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "pkg/base/random.h"
#include "pkg/testing/sim_loop.h"

namespace kdb::testing {

using EndpointId = uint64_t;

struct NetworkOptions {
  SimLoop::Duration min_delay = std::chrono::microseconds(50);
  SimLoop::Duration max_delay = std::chrono::microseconds(500);
  // Probabilities per message.
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  // held back by up to reorder_delay while later ones overtake it
  SimLoop::Duration reorder_delay = std::chrono::milliseconds(50);
};

struct NetworkStats {
  uint64_t sent = 0;
  uint64_t lost = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t cut = 0;  // by partitions
};

// Without loss and reordering a link (ordered pair of endpoints) is first in, first out.
class SimNetwork {
 public:
  // Copied when the message is duplicated.
  using Arrival = std::function<void()>;

  // `loop` outlives the network, and runs no more once the network is gone.
  SimNetwork(SimLoop& loop, uint64_t seed) : loop_(loop), random_(seed) {}

  void SetOptions(const NetworkOptions& options) { options_ = options; }
  // False: cut; a sender over TCP would notice after a while.
  bool Send(EndpointId from, EndpointId to, Arrival arrival);
  // As Send over a connection: no loss, no duplicate, no overtaking. False: the link is cut in
  // either direction.
  bool SendReliably(EndpointId from, EndpointId to, Arrival arrival);

  // Messages from `from` to `to` are dropped, also those under way.
  void Cut(EndpointId from, EndpointId to) { cuts_.insert({from, to}); }
  void CutBoth(EndpointId a, EndpointId b);
  // Every link between the two sides, both ways.
  void Partition(const std::vector<EndpointId>& one, const std::vector<EndpointId>& other);
  void Heal() { cuts_.clear(); }
  bool IsCut(EndpointId from, EndpointId to) const { return cuts_.contains({from, to}); }

  const NetworkStats& stats() const { return stats_; }

 private:
  using Link = std::pair<EndpointId, EndpointId>;

  bool Chance(double probability) { return random_.Fraction() < probability; }
  SimLoop::Duration Between(SimLoop::Duration min, SimLoop::Duration max);
  void Carry(Link link, bool held_back, Arrival arrival);

  SimLoop& loop_;
  Random random_;
  NetworkOptions options_;
  NetworkStats stats_;
  std::set<Link> cuts_;
  std::map<Link, SimLoop::Duration> last_arrival_;
};

}  // namespace kdb::testing

#include "pkg/testing/sim_network.h"

#include <algorithm>

namespace kdb::testing {

bool SimNetwork::Send(EndpointId from, EndpointId to, Arrival arrival) {
  ++stats_.sent;
  if (IsCut(from, to)) {
    ++stats_.cut;
    return false;
  }
  if (Chance(options_.loss)) {
    ++stats_.lost;
    return true;
  }
  if (Chance(options_.duplicate)) {
    ++stats_.duplicated;
    Carry({from, to}, true, arrival);
  }
  bool overtaken = Chance(options_.reorder);
  if (overtaken) ++stats_.reordered;
  Carry({from, to}, overtaken, std::move(arrival));
  return true;
}

bool SimNetwork::SendReliably(EndpointId from, EndpointId to, Arrival arrival) {
  ++stats_.sent;
  if (IsCut(from, to) || IsCut(to, from)) {
    ++stats_.cut;
    return false;
  }
  Carry({from, to}, false, std::move(arrival));
  return true;
}

void SimNetwork::CutBoth(EndpointId a, EndpointId b) {
  Cut(a, b);
  Cut(b, a);
}

void SimNetwork::Partition(const std::vector<EndpointId>& one,
                           const std::vector<EndpointId>& other) {
  for (EndpointId a : one) {
    for (EndpointId b : other) CutBoth(a, b);
  }
}

SimLoop::Duration SimNetwork::Between(SimLoop::Duration min, SimLoop::Duration max) {
  return min + SimLoop::Duration(random_.Uniform(static_cast<uint64_t>((max - min).count()) + 1));
}

void SimNetwork::Carry(Link link, bool held_back, Arrival arrival) {
  SimLoop::Duration delay = Between(options_.min_delay, options_.max_delay);
  if (held_back) {
    delay += Between(SimLoop::Duration(0), options_.reorder_delay);
  } else {
    // One nanosecond apart: what arrives at the same time has no order.
    SimLoop::Duration& last = last_arrival_[link];
    last = std::max(last + SimLoop::Duration(1), loop_.Now() + delay);
    delay = last - loop_.Now();
  }
  loop_.After(delay, [this, link, arrival = std::move(arrival)] {
    if (cuts_.contains(link)) {
      ++stats_.cut;
      return;
    }
    arrival();
  });
}

}  // namespace kdb::testing

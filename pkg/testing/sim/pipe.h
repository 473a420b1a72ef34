// One direction of a connection over the simulated network, as TCP carries it: in order, nothing
// lost or doubled; a cut delays what is under way until the network heals or patience ends.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "pkg/testing/sim_loop.h"
#include "pkg/testing/sim_network.h"

namespace kdb::sim {

// Shared with the messages under way. Not thread-safe.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  using Arrival = std::function<void()>;

  // `on_stuck`: nothing got through for `patience`, and the pipe is closed. Loop and network
  // outlive whatever they carry.
  Pipe(testing::SimLoop& loop, testing::SimNetwork& network, testing::EndpointId from,
       testing::EndpointId to, testing::SimLoop::Duration patience, Arrival on_stuck);

  void Send(Arrival arrival);
  // Drops what is under way and what is sent from now on.
  void Close();

 private:
  void Transmit(uint64_t number);
  void Arrive(uint64_t number);
  void ArmRetransmit();
  void Retransmit();

  testing::SimLoop& loop_;
  testing::SimNetwork& network_;
  const testing::EndpointId from_;
  const testing::EndpointId to_;
  const testing::SimLoop::Duration patience_;
  Arrival on_stuck_;

  std::deque<Arrival> pending_;
  uint64_t first_ = 0;  // the number of pending_.front()
  testing::SimLoop::Duration last_progress_{0};
  bool armed_ = false;
  bool closed_ = false;
};

}  // namespace kdb::sim

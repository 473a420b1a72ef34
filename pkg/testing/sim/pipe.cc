#include "pkg/testing/sim/pipe.h"

#include <utility>

namespace kdb::sim {
namespace {

constexpr std::chrono::milliseconds kRetransmitEvery{80};

}  // namespace

Pipe::Pipe(testing::SimLoop& loop, testing::SimNetwork& network, testing::EndpointId from,
           testing::EndpointId to, testing::SimLoop::Duration patience, Arrival on_stuck)
    : loop_(loop),
      network_(network),
      from_(from),
      to_(to),
      patience_(patience),
      on_stuck_(std::move(on_stuck)) {}

void Pipe::Send(Arrival arrival) {
  if (closed_) return;
  if (pending_.empty()) last_progress_ = loop_.Now();
  pending_.push_back(std::move(arrival));
  Transmit(first_ + pending_.size() - 1);
  ArmRetransmit();
}

void Pipe::Close() {
  closed_ = true;
  pending_.clear();
  on_stuck_ = nullptr;
}

void Pipe::Transmit(uint64_t number) {
  network_.SendReliably(from_, to_, [self = shared_from_this(), number] { self->Arrive(number); });
}

void Pipe::Arrive(uint64_t number) {
  // Lost ones before it are sent again, and this one with them.
  if (closed_ || pending_.empty() || number != first_) return;
  Arrival arrival = std::move(pending_.front());
  pending_.pop_front();
  ++first_;
  last_progress_ = loop_.Now();
  arrival();
}

void Pipe::ArmRetransmit() {
  if (armed_) return;
  armed_ = true;
  loop_.After(kRetransmitEvery, [self = shared_from_this()] { self->Retransmit(); });
}

void Pipe::Retransmit() {
  armed_ = false;
  if (closed_ || pending_.empty()) return;
  if (loop_.Now() - last_progress_ > patience_) {
    Arrival on_stuck = std::move(on_stuck_);
    Close();
    if (on_stuck) on_stuck();
    return;
  }
  for (uint64_t i = 0; i < pending_.size(); ++i) Transmit(first_ + i);
  ArmRetransmit();
}

}  // namespace kdb::sim

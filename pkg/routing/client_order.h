// Where one client's commands stand at each shard group: keeps them in the order sent (design 4,
// "Order").
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "pkg/shard/slot.h"

namespace kdb::routing {

struct ClientState;

// A counted reference within one thread: std::shared_ptr's atomic counters cost as much as the rest
// of a command's bookkeeping.
class ClientRef {
 public:
  ClientRef() = default;
  explicit ClientRef(ClientState* state);
  ClientRef(const ClientRef& other) : ClientRef(other.state_) {}
  ClientRef(ClientRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  ClientRef& operator=(ClientRef other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~ClientRef();

  ClientState* get() const { return state_; }
  ClientState* operator->() const { return state_; }

 private:
  ClientState* state_ = nullptr;
};

// One per connection; used with one router only. Costs a pointer until the first command.
class ClientOrder {
 public:
  ClientOrder() = default;
  ClientOrder(ClientOrder&&) = default;
  ClientOrder& operator=(ClientOrder&&) = default;
  ClientOrder(const ClientOrder&) = delete;
  ClientOrder& operator=(const ClientOrder&) = delete;
  // What is in flight goes on; nobody is told.
  ~ClientOrder() { Abandon(); }

 private:
  friend class ClientLanes;
  void Abandon();

  ClientRef state_;
};

}  // namespace kdb::routing

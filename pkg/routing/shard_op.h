// One op on its way to one shard group, and the queues it waits in.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/any_invocable.h"
#include "pkg/base/clock.h"
#include "pkg/redis/command.h"
#include "pkg/routing/client_order.h"
#include "pkg/shard/slot.h"
#include "pkg/wire/batch.h"

namespace kdb::routing {

class SplitCall;
struct WriteBatch;

// The arguments of a command as one block: the client's buffer is gone by the time they are
// encoded.
class OwnedArgs {
 public:
  void Reserve(size_t count, size_t bytes) {
    ends_.reserve(count);
    bytes_.reserve(bytes);
  }
  void Add(std::string_view arg) {
    bytes_.append(arg);
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  void Clear() {
    bytes_ = {};
    ends_.clear();
  }
  size_t size() const { return ends_.size(); }
  size_t bytes() const { return bytes_.size(); }
  std::string_view operator[](size_t i) const {
    uint32_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }
  void Views(std::vector<std::string_view>* out) const {
    out->clear();
    for (size_t i = 0; i < size(); ++i) out->push_back((*this)[i]);
  }

 private:
  std::string bytes_;
  absl::InlinedVector<uint32_t, 6> ends_;  // of each argument
};

struct ShardOp {
  using Slots = absl::InlinedVector<shard::Slot, 2>;

  const redis::Command* command = nullptr;
  OwnedArgs args;
  Slots slots;       // empty: all that the group owns
  uint64_t gid = 0;  // where it was routed; 0: parked
  uint8_t resp_version = 2;
  bool write = false;
  bool rides = false;         // a read that is in the log behind its client's writes
  bool by_index = false;      // a read whose reply is too large to ride
  bool after_freeze = false;  // a write that its group refused: it resumes the slot there
  bool scan = false;          // its reply may be long and costs a walk: never in the log
  bool live = false;          // counted by the router, due at its deadline unless answered
  bool entered = false;       // its lane counts it
  bool answered = false;      // its client has the answer, or is gone
  uint64_t number = 0;        // in the order submitted; the parts of a command share its
  size_t accounted = 0;       // cost() when it came
  Clock::Duration submitted{};
  Clock::Duration sent{};
  Clock::Duration deadline{};
  WriteBatch* batch = nullptr;  // while it is in one that was sent

  // Where the answer goes: a client's command as a whole, or part `part` of a split one.
  absl::AnyInvocable<void(std::string)> done;
  std::shared_ptr<SplitCall> call;  // shared by the parts, the last of which ends it
  uint32_t part = 0;
  ClientState* client = nullptr;  // nullptr: none, nothing orders the op
  ClientRef hold;  // on `client`; none while it waits in one of the client's own lanes

  // Live ops by deadline.
  ShardOp* older = nullptr;
  ShardOp* newer = nullptr;
  // The queue it is in.
  std::unique_ptr<ShardOp> next;

  bool logged() const { return write || rides; }
  size_t cost() const { return sizeof(ShardOp) + args.bytes(); }
};

using OpPtr = std::unique_ptr<ShardOp>;

// First in, first out, without allocating.
class OpQueue {
 public:
  OpQueue() = default;
  OpQueue(OpQueue&& other) noexcept
      : head_(std::move(other.head_)),
        tail_(std::exchange(other.tail_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  OpQueue& operator=(OpQueue&& other) noexcept {
    Clear();
    head_ = std::move(other.head_);
    tail_ = std::exchange(other.tail_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~OpQueue() { Clear(); }

  bool empty() const { return head_ == nullptr; }
  size_t size() const { return size_; }
  ShardOp& front() { return *head_; }
  void PushBack(OpPtr op) {
    ShardOp* raw = op.get();
    (tail_ == nullptr ? head_ : tail_->next) = std::move(op);
    tail_ = raw;
    ++size_;
  }
  // Behind those with smaller numbers; the queue is in the order of numbers.
  void InsertByNumber(OpPtr op) {
    if (empty() || tail_->number <= op->number) return PushBack(std::move(op));
    OpPtr* at = &head_;
    while ((*at)->number <= op->number) at = &(*at)->next;
    op->next = std::move(*at);
    *at = std::move(op);
    ++size_;
  }
  template <typename Visit>
  void ForEach(Visit&& visit) {
    for (ShardOp* op = head_.get(); op != nullptr; op = op->next.get()) visit(*op);
  }
  OpPtr PopFront() {
    OpPtr op = std::move(head_);
    head_ = std::move(op->next);
    if (head_ == nullptr) tail_ = nullptr;
    --size_;
    return op;
  }

 private:
  void Clear() {  // not by recursion along `next`
    while (!empty()) PopFront();
  }

  OpPtr head_;
  ShardOp* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kdb::routing

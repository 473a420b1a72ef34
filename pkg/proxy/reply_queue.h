// Replies in the order of their commands, whatever order they come in.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kdb::proxy {

// A ring that takes no memory while nothing is pending. Not thread-safe.
class ReplyQueue {
 public:
  struct Slot {
    std::string reply;
    std::chrono::nanoseconds began{};
    uint8_t command = 0;  // its number
    bool silent = false;  // its client wants no reply
    bool ready = false;
  };

  // The next command's place; the number it is completed by.
  uint64_t Open(std::chrono::nanoseconds began, uint8_t command, bool silent) {
    if (next_ - first_ == slots_.size()) Grow();
    Slot& slot = At(next_);
    slot.began = began;
    slot.command = command;
    slot.silent = silent;
    slot.ready = false;
    return next_++;
  }
  void SetSilent(uint64_t number, bool silent) { At(number).silent = silent; }
  // For the caller to look at before Complete.
  const Slot& slot(uint64_t number) { return At(number); }
  // Calls `out(std::string&&)` with every reply whose turn has come.
  template <typename Out>
  void Complete(uint64_t number, std::string reply, Out&& out) {
    Slot& slot = At(number);
    slot.ready = true;
    if (!slot.silent) slot.reply = std::move(reply);
    held_bytes_ += slot.reply.size();
    while (first_ != next_ && At(first_).ready) {
      Slot& done = At(first_++);
      held_bytes_ -= done.reply.size();
      if (!done.silent) out(std::move(done.reply));
      done.reply = {};
    }
    if (first_ == next_ && slots_.size() > kKeptSlots) slots_ = {};
  }

  size_t pending() const { return next_ - first_; }
  bool empty() const { return first_ == next_; }
  // Of replies that came and wait for older ones.
  size_t held_bytes() const { return held_bytes_; }

 private:
  static constexpr size_t kKeptSlots = 32;

  Slot& At(uint64_t number) { return slots_[number & (slots_.size() - 1)]; }
  void Grow() {
    std::vector<Slot> larger(slots_.empty() ? 4 : slots_.size() * 2);
    for (uint64_t i = first_; i != next_; ++i) larger[i & (larger.size() - 1)] = std::move(At(i));
    slots_ = std::move(larger);
  }

  std::vector<Slot> slots_;  // a power of two
  uint64_t first_ = 0;
  uint64_t next_ = 0;
  size_t held_bytes_ = 0;
};

}  // namespace kdb::proxy

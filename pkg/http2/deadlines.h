// What is due when.
#pragma once

#include <map>
#include <optional>

#include "pkg/base/clock.h"

namespace kdb::http2 {

// Not thread-safe.
class Deadlines {
 public:
  class Waiter {
   public:
    // Its entry is gone.
    virtual void OnDeadline() = 0;

   protected:
    ~Waiter() = default;
  };
  using Entry = std::multimap<Clock::Duration, Waiter*>::iterator;

  // `waiter` lives until its deadline or Remove.
  Entry Add(Clock::Duration when, Waiter& waiter) { return entries_.emplace(when, &waiter); }
  void Remove(Entry entry) { entries_.erase(entry); }
  std::optional<Clock::Duration> earliest() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->first;
  }
  void Expire(Clock::Duration now) {
    while (!entries_.empty() && entries_.begin()->first <= now) {
      Waiter* waiter = entries_.begin()->second;
      entries_.erase(entries_.begin());
      waiter->OnDeadline();
    }
  }

 private:
  std::multimap<Clock::Duration, Waiter*> entries_;
};

}  // namespace kdb::http2

// What is due when.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
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

// What an owner waits for now and then. Not thread-safe.
class Alarm final : private Deadlines::Waiter {
 public:
  // `deadlines` outlives the alarm. `ring` is called when it is due, and may set it again.
  Alarm(Deadlines& deadlines, absl::AnyInvocable<void()> ring)
      : deadlines_(deadlines), ring_(std::move(ring)) {}
  ~Alarm() { Cancel(); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  bool set() const { return entry_.has_value(); }
  // Instead of what it was set to.
  void Set(Clock::Duration when) {
    Cancel();
    entry_ = deadlines_.Add(when, *this);
  }
  void Cancel() {
    if (entry_.has_value()) deadlines_.Remove(*std::exchange(entry_, std::nullopt));
  }

 private:
  void OnDeadline() override {
    entry_ = std::nullopt;
    ring_();
  }

  Deadlines& deadlines_;
  absl::AnyInvocable<void()> ring_;
  std::optional<Deadlines::Entry> entry_;
};

}  // namespace kdb::http2

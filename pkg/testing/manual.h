// A clock and an executor that do nothing by themselves, for unit tests.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "pkg/base/clock.h"
#include "pkg/base/executor.h"

namespace kdb::testing {

class ManualClock final : public Clock {
 public:
  Duration Monotonic() const override { return now; }
  int64_t WallMillis() const override { return 1234; }
  Duration now{0};
};

// Runs tasks when told.
class ManualExecutor final : public Executor {
 public:
  void Post(Task task) override { ready_.push_back(std::move(task)); }
  void PostAfter(std::chrono::nanoseconds delay, Task task) override {
    delayed_.emplace(delay, std::move(task));
  }
  size_t Backlog() const override { return ready_.size(); }

  void RunReady() {
    while (!ready_.empty()) {
      Task task = std::move(ready_.front());
      ready_.pop_front();
      task();
    }
  }
  // The timer set for the shortest delay goes off.
  bool FireTimer() {
    if (delayed_.empty()) return false;
    Post(std::move(delayed_.begin()->second));
    delayed_.erase(delayed_.begin());
    RunReady();
    return true;
  }
  size_t timers() const { return delayed_.size(); }
  // The shortest delay that a timer was set for, since when it was.
  std::chrono::milliseconds next_timer() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(delayed_.begin()->first);
  }

 private:
  std::deque<Task> ready_;
  std::multimap<std::chrono::nanoseconds, Task> delayed_;
};

}  // namespace kdb::testing

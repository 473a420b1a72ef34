// A deterministic world for tests: many executors on one thread and one virtual clock. What happens
// at the same time happens in an order drawn from the seed; the same seed gives the same run.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "pkg/base/executor.h"
#include "pkg/base/random.h"

namespace kdb::testing {

class SimExecutor;

// Not thread-safe, nor are its executors: all of a simulation runs on one thread.
class SimLoop {
 public:
  using Duration = std::chrono::nanoseconds;

  explicit SimLoop(uint64_t seed) : random_(seed) {}

  // Virtual time since the start.
  Duration Now() const { return now_; }
  Random& random() { return random_; }

  // Runs `task` at Now() + delay, as nobody's task: deliveries, faults.
  void After(Duration delay, Task task);
  std::unique_ptr<SimExecutor> NewExecutor(std::string name);

  // Runs the next task, moving the time if need be; false when there is none.
  bool RunOne();
  // Runs all that is due within `span` and moves the time by it.
  void RunFor(Duration span);
  // Runs until `done` holds (asked after every task), at most for `limit`. Returns whether it
  // holds.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

  uint64_t tasks_run() const { return sequence_run_; }

 private:
  // Time, then chance; the counter only makes keys unique.
  using Key = std::tuple<Duration, uint64_t, uint64_t>;

  Duration now_{0};
  Random random_;
  uint64_t sequence_ = 0;
  uint64_t sequence_run_ = 0;
  std::map<Key, Task> events_;
};

// One at a time and in the order posted, as the contract of Executor wants.
class SimExecutor final : public Executor {
 public:
  ~SimExecutor() override;

  void Post(Task task) override;
  void PostAfter(std::chrono::nanoseconds delay, Task task) override;
  size_t Backlog() const override;

  // Every task begins between `min` and `max` after it could have: a busy thread, a slow disk.
  void SetLatency(SimLoop::Duration min, SimLoop::Duration max);
  // Nanoseconds of the loop per nanosecond of a delay: the node's clock runs fast or slow.
  void SetTimerRate(double rate);
  // Nothing runs until Resume; what is posted waits, timers go off and wait (SIGSTOP, a stalled
  // disk).
  void Pause();
  void Resume();
  // Forgets all tasks, delayed ones too: the process died.
  void Drop();

 private:
  friend class SimLoop;
  struct State;
  SimExecutor(SimLoop& loop, std::string name);
  static void Arm(SimLoop& loop, const std::shared_ptr<State>& state);

  SimLoop& loop_;
  // Shared with the events in the loop, which may outlive the executor.
  std::shared_ptr<State> state_;
};

}  // namespace kdb::testing

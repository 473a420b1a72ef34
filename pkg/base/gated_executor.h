// One role's tasks on an executor that belongs to someone else: once closed, none of them runs any
// more, although the executor may still hold some. So their owner can be destroyed while executors
// live on.
#pragma once

#include <chrono>
#include <memory>

#include "pkg/base/executor.h"

namespace kdb {

// Thread-safe.
class GatedExecutor {
 public:
  // `executor` outlives this object. It runs one task at a time: Close waits for no more than one.
  explicit GatedExecutor(Executor& executor);
  ~GatedExecutor() { Close(); }
  GatedExecutor(const GatedExecutor&) = delete;
  GatedExecutor& operator=(const GatedExecutor&) = delete;

  void Post(Task task);
  void PostAfter(std::chrono::nanoseconds delay, Task task);

  // Waits for the task that is running; no other starts. Deadlocks when called from one of its own
  // tasks.
  void Close();

 private:
  class Gate;
  static Task Guard(std::shared_ptr<Gate> gate, Task task);

  Executor& executor_;
  // Shared with the tasks that the executor still holds when this object is gone.
  const std::shared_ptr<Gate> gate_;
};

}  // namespace kdb

// A task repeated on an executor until its owner goes.
#pragma once

#include <chrono>
#include <memory>

#include "pkg/base/executor.h"
#include "pkg/base/mutex.h"

namespace kdb {

// Runs `task` every `interval` on `executor`, first one interval from now. The destructor waits for
// a run that is under way and prevents later ones; it must not be called from the task. The
// executor outlives the object.
class Periodic {
 public:
  Periodic(Executor& executor, std::chrono::nanoseconds interval, Task task);
  ~Periodic();
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  struct State;

  static void Schedule(Executor& executor, std::chrono::nanoseconds interval,
                       std::shared_ptr<State> state);

  // Shared with the posted task, which may still be waiting in the executor after the destructor.
  std::shared_ptr<State> state_;
};

}  // namespace kdb

// Where a role's tasks run: a thread in servers, one deterministic loop in tests and simulation.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"

namespace kdb {

using Task = absl::AnyInvocable<void()>;

// Runs tasks one at a time, in the order posted. Post and PostAfter are thread-safe and never
// block; they may be called from a task of the same executor.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void Post(Task task) = 0;
  // Runs `task` once, `delay` from now or later.
  virtual void PostAfter(std::chrono::nanoseconds delay, Task task) = 0;
  // Tasks waiting to run, delayed ones excepted: owners bound their mailboxes by it.
  virtual size_t Backlog() const = 0;
};

// One thread. The destructor stops after the task that is running and drops the rest; owners that
// need their tasks run wait for them first. `name` (at most 15 bytes) is the thread's name.
std::unique_ptr<Executor> NewThreadExecutor(std::string name);

}  // namespace kdb

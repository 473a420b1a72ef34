#include "pkg/base/periodic.h"

#include <utility>

namespace kdb {

struct Periodic::State {
  Mutex mu;  // held while the task runs: the destructor waits for it
  bool stopped ABSL_GUARDED_BY(mu) = false;
  Task task ABSL_GUARDED_BY(mu);
};

Periodic::Periodic(Executor& executor, std::chrono::nanoseconds interval, Task task)
    : state_(std::make_shared<State>()) {
  {
    MutexLock lock(state_->mu);
    state_->task = std::move(task);
  }
  Schedule(executor, interval, state_);
}

Periodic::~Periodic() {
  MutexLock lock(state_->mu);
  state_->stopped = true;
  state_->task = nullptr;
}

void Periodic::Schedule(Executor& executor, std::chrono::nanoseconds interval,
                        std::shared_ptr<State> state) {
  executor.PostAfter(interval, [&executor, interval, state = std::move(state)]() mutable {
    {
      MutexLock lock(state->mu);
      if (state->stopped) return;
      state->task();
    }
    Schedule(executor, interval, std::move(state));
  });
}

}  // namespace kdb

#include "pkg/base/gated_executor.h"

#include <utility>

#include "pkg/base/mutex.h"

namespace kdb {

class GatedExecutor::Gate {
 public:
  bool Enter() {
    MutexLock lock(mu_);
    if (closed_) return false;
    running_ = true;
    return true;
  }
  void Leave() {
    MutexLock lock(mu_);
    running_ = false;
    if (closed_) left_.NotifyAll();
  }
  void Close() {
    MutexLock lock(mu_);
    closed_ = true;
    while (running_) left_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar left_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool running_ ABSL_GUARDED_BY(mu_) = false;
};

GatedExecutor::GatedExecutor(Executor& executor)
    : executor_(executor), gate_(std::make_shared<Gate>()) {}

Task GatedExecutor::Guard(std::shared_ptr<Gate> gate, Task task) {
  return [gate = std::move(gate), task = std::move(task)]() mutable {
    if (!gate->Enter()) return;
    task();
    task = nullptr;  // what it captured goes before the owner may
    gate->Leave();
  };
}

void GatedExecutor::Post(Task task) { executor_.Post(Guard(gate_, std::move(task))); }

void GatedExecutor::PostAfter(std::chrono::nanoseconds delay, Task task) {
  executor_.PostAfter(delay, Guard(gate_, std::move(task)));
}

void GatedExecutor::Close() { gate_->Close(); }

}  // namespace kdb

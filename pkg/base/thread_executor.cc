#include <pthread.h>

#include <atomic>
#include <deque>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "pkg/base/executor.h"
#include "pkg/base/mutex.h"

namespace kdb {
namespace {

class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(std::string name)
      : thread_([this, name = std::move(name)] {
          pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
          Run();
        }) {}

  ~ThreadExecutor() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
    }
    wake_.NotifyOne();
    thread_.join();
  }

  void Post(Task task) override {
    bool was_idle;
    {
      MutexLock lock(mu_);
      ready_.push_back(std::move(task));
      was_idle = std::exchange(idle_, false);
    }
    backlog_.fetch_add(1, std::memory_order_relaxed);
    if (was_idle) wake_.NotifyOne();
  }

  void PostAfter(std::chrono::nanoseconds delay, Task task) override {
    auto when = std::chrono::steady_clock::now() + delay;
    bool was_idle;
    {
      MutexLock lock(mu_);
      timers_.emplace(when, std::move(task));
      was_idle = std::exchange(idle_, false);
    }
    if (was_idle) wake_.NotifyOne();
  }

  size_t Backlog() const override {
    int64_t n = backlog_.load(std::memory_order_relaxed);
    return n > 0 ? static_cast<size_t>(n) : 0;
  }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;

  void Run() {
    std::deque<Task> batch;
    while (TakeReady(batch)) {
      for (; !batch.empty(); batch.pop_front()) {
        backlog_.fetch_sub(1, std::memory_order_relaxed);
        batch.front()();
        if (stopping_.load(std::memory_order_relaxed)) break;
      }
      batch.clear();
    }
  }

  // Waits for tasks and moves all that are due into `batch`; false when stopping.
  bool TakeReady(std::deque<Task>& batch) {
    MutexLock lock(mu_);
    while (!stopping_) {
      MoveDueTimersLocked();
      if (!ready_.empty()) {
        batch.swap(ready_);
        return true;
      }
      idle_ = true;
      if (timers_.empty()) {
        wake_.Wait(mu_);
      } else {
        TimePoint next = timers_.begin()->first;
        wake_.WaitUntil(mu_, next);
      }
      idle_ = false;
    }
    return false;
  }

  void MoveDueTimersLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (timers_.empty()) return;
    TimePoint now = std::chrono::steady_clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      ready_.push_back(std::move(timers_.begin()->second));
      backlog_.fetch_add(1, std::memory_order_relaxed);
      timers_.erase(timers_.begin());
    }
  }

  Mutex mu_;
  CondVar wake_;
  std::deque<Task> ready_ ABSL_GUARDED_BY(mu_);
  std::multimap<TimePoint, Task> timers_ ABSL_GUARDED_BY(mu_);
  bool idle_ ABSL_GUARDED_BY(mu_) = false;

  std::atomic<bool> stopping_ = false;
  std::atomic<int64_t> backlog_ = 0;
  std::thread thread_;  // last: starts when all else is ready
};

}  // namespace

std::unique_ptr<Executor> NewThreadExecutor(std::string name) {
  return std::make_unique<ThreadExecutor>(std::move(name));
}

}  // namespace kdb

#include "pkg/meta/worker_pool.h"

#include <utility>

namespace kdb::meta {

WorkerPool::WorkerPool(int threads, size_t max_queued) : max_queued_(max_queued) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    work_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::Post(Task task) {
  MutexLock lock(mu_);
  if (queue_.size() >= max_queued_) return false;
  queue_.push_back(std::move(task));
  work_.NotifyOne();
  return true;
}

void WorkerPool::Run() {
  while (true) {
    Task task;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !stopping_) work_.Wait(mu_);
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace kdb::meta

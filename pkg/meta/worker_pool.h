// Threads for calls that block: gRPC's own must not.
#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "pkg/base/executor.h"
#include "pkg/base/mutex.h"

namespace kdb::meta {

// Thread-safe.
class WorkerPool {
 public:
  WorkerPool(int threads, size_t max_queued);
  // Runs what is queued, then joins.
  ~WorkerPool();

  // False, and `task` is dropped, when max_queued tasks wait already.
  bool Post(Task task);

 private:
  void Run();

  const size_t max_queued_;
  Mutex mu_;
  CondVar work_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace kdb::meta

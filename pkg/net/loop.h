// An event loop on a thread of its own: sockets' events and posted tasks run there, one at a time.
// A role that runs on the loop of its connections takes their frames without a change of threads.
#pragma once

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "pkg/net/asio_executor.h"

namespace kdb::net {

class Loop final : public Executor {
 public:
  // `name` (at most 15 bytes) is the thread's name.
  explicit Loop(std::string name);
  // Stops after the task that is running and drops the rest. Waits for a name that is being
  // resolved. Nobody may hold a connection any more.
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  asio::io_context& io() { return io_; }

  void Post(Task task) override { executor_.Post(std::move(task)); }
  void PostAfter(std::chrono::nanoseconds delay, Task task) override {
    executor_.PostAfter(delay, std::move(task));
  }
  size_t Backlog() const override { return executor_.Backlog(); }

  // OK while the loop comes round; for liveness probes.
  absl::Status Alive() const;

  // Returns when `task`, and what it posted, has run on the loop. Not from the loop itself.
  void RunAndWait(Task task);

 private:
  void NoteTurn();

  asio::io_context io_;
  AsioExecutor executor_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer turn_timer_;
  std::atomic<std::chrono::steady_clock::time_point> last_turn_;
  std::thread thread_;
};

}  // namespace kdb::net

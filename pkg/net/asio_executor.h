// An Executor over an Asio loop.
#pragma once

#include <asio/io_context.hpp>
#include <atomic>

#include "pkg/base/executor.h"

namespace kdb::net {

// One thread runs `io`, which outlives this. Tasks posted by a handler run after the handlers that
// are ready.
class AsioExecutor final : public Executor {
 public:
  explicit AsioExecutor(asio::io_context& io) : io_(io) {}

  void Post(Task task) override;
  void PostAfter(std::chrono::nanoseconds delay, Task task) override;
  size_t Backlog() const override { return backlog_.load(std::memory_order_relaxed); }

 private:
  asio::io_context& io_;
  std::atomic<size_t> backlog_ = 0;
};

}  // namespace kdb::net

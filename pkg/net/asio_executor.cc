#include "pkg/net/asio_executor.h"

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <memory>
#include <utility>

namespace kdb::net {

void AsioExecutor::Post(Task task) {
  backlog_.fetch_add(1, std::memory_order_relaxed);
  asio::post(io_, [this, task = std::move(task)]() mutable {
    backlog_.fetch_sub(1, std::memory_order_relaxed);
    task();
  });
}

void AsioExecutor::PostAfter(std::chrono::nanoseconds delay, Task task) {
  auto timer = std::make_unique<asio::steady_timer>(io_, delay);
  asio::steady_timer& waiting = *timer;
  // The handler owns its timer: both go when it has run, or with the loop.
  waiting.async_wait(
      [timer = std::move(timer), task = std::move(task)](const asio::error_code& error) mutable {
        if (!error) task();
      });
}

}  // namespace kdb::net

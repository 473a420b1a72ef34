#include "pkg/net/loop.h"

#include <fmt/format.h>
#include <pthread.h>

#include <utility>

#include "pkg/base/mutex.h"

namespace kdb::net {
namespace {

constexpr auto kTurnInterval = std::chrono::milliseconds(250);
constexpr auto kStuck = std::chrono::seconds(5);

}  // namespace

Loop::Loop(std::string name)
    : io_(1),
      executor_(io_),
      work_(io_.get_executor()),
      turn_timer_(io_),
      last_turn_(std::chrono::steady_clock::now()),
      thread_([this, name = std::move(name)] {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        NoteTurn();
        io_.run();
      }) {}

void Loop::NoteTurn() {
  last_turn_ = std::chrono::steady_clock::now();
  turn_timer_.expires_after(kTurnInterval);
  turn_timer_.async_wait([this](const asio::error_code& stopped) {
    if (!stopped) NoteTurn();
  });
}

absl::Status Loop::Alive() const {
  auto silent = std::chrono::steady_clock::now() - last_turn_.load();
  if (silent < kStuck) return absl::OkStatus();
  return absl::UnavailableError(
      fmt::format("the event loop has not come round for {} s",
                  std::chrono::duration_cast<std::chrono::seconds>(silent).count()));
}

Loop::~Loop() {
  io_.stop();
  thread_.join();
}

void Loop::RunAndWait(Task task) {
  Mutex mu;
  CondVar ran;
  bool done = false;
  Post([&] {
    task();
    // Behind what `task` posted: else what the caller posts next could overtake that.
    Post([&] {
      MutexLock lock(mu);
      done = true;
      ran.NotifyAll();
    });
  });
  MutexLock lock(mu);
  while (!done) ran.Wait(mu);
}

}  // namespace kdb::net

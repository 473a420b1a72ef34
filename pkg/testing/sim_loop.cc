#include "pkg/testing/sim_loop.h"

#include <algorithm>
#include <utility>

#include "pkg/base/check.h"

namespace kdb::testing {

struct SimExecutor::State {
  std::string name;
  std::deque<Task> ready;
  bool armed = false;  // an event in the loop will run the next task
  bool paused = false;
  bool running = false;
  uint64_t life = 0;  // timers of an earlier life are void
  SimLoop::Duration min_latency{0};
  SimLoop::Duration max_latency{0};
  double timer_rate = 1;
};

void SimLoop::After(Duration delay, Task task) {
  Duration at = now_ + std::max(delay, Duration(0));
  events_.emplace(Key{at, random_.Next(), ++sequence_}, std::move(task));
}

std::unique_ptr<SimExecutor> SimLoop::NewExecutor(std::string name) {
  return std::unique_ptr<SimExecutor>(new SimExecutor(*this, std::move(name)));
}

bool SimLoop::RunOne() {
  if (events_.empty()) return false;
  auto node = events_.extract(events_.begin());
  now_ = std::get<0>(node.key());
  ++sequence_run_;
  node.mapped()();
  return true;
}

void SimLoop::RunFor(Duration span) {
  Duration end = now_ + span;
  while (!events_.empty() && std::get<0>(events_.begin()->first) <= end) RunOne();
  now_ = end;
}

bool SimLoop::RunUntil(const std::function<bool()>& done, Duration limit) {
  Duration end = now_ + limit;
  while (!done()) {
    if (events_.empty() || std::get<0>(events_.begin()->first) > end) {
      now_ = end;
      return false;
    }
    RunOne();
  }
  return true;
}

SimExecutor::SimExecutor(SimLoop& loop, std::string name)
    : loop_(loop), state_(std::make_shared<State>()) {
  state_->name = std::move(name);
}

SimExecutor::~SimExecutor() {
  KDB_CHECK(!state_->running, "executor {} destroyed by its own task", state_->name);
  Drop();
}

void SimExecutor::Arm(SimLoop& loop, const std::shared_ptr<State>& state) {
  if (state->armed || state->paused || state->ready.empty()) return;
  state->armed = true;
  auto span = static_cast<uint64_t>((state->max_latency - state->min_latency).count());
  SimLoop::Duration latency =
      state->min_latency + SimLoop::Duration(loop.random().Uniform(span + 1));
  loop.After(latency, [&loop, state] {
    state->armed = false;
    if (state->paused || state->ready.empty()) return;
    Task task = std::move(state->ready.front());
    state->ready.pop_front();
    state->running = true;
    task();
    task = nullptr;
    state->running = false;
    Arm(loop, state);
  });
}

void SimExecutor::Post(Task task) {
  state_->ready.push_back(std::move(task));
  Arm(loop_, state_);
}

void SimExecutor::PostAfter(std::chrono::nanoseconds delay, Task task) {
  SimLoop::Duration real(
      static_cast<int64_t>(static_cast<double>(delay.count()) * state_->timer_rate));
  loop_.After(
      real, [&loop = loop_, state = state_, life = state_->life, task = std::move(task)]() mutable {
        if (state->life != life) return;
        state->ready.push_back(std::move(task));
        Arm(loop, state);
      });
}

size_t SimExecutor::Backlog() const { return state_->ready.size(); }

void SimExecutor::SetLatency(SimLoop::Duration min, SimLoop::Duration max) {
  KDB_CHECK(min <= max);
  state_->min_latency = min;
  state_->max_latency = max;
}

void SimExecutor::SetTimerRate(double rate) { state_->timer_rate = rate; }

void SimExecutor::Pause() { state_->paused = true; }

void SimExecutor::Resume() {
  state_->paused = false;
  Arm(loop_, state_);
}

void SimExecutor::Drop() {
  ++state_->life;
  state_->ready.clear();
}

}  // namespace kdb::testing

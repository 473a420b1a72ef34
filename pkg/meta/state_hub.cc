#include "pkg/meta/state_hub.h"

#include <utility>

namespace kdb::meta {

void StateHub::Publish(const StatePtr& state) {
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    MutexLock lock(mu_);
    latest_ = state;
    std::erase_if(subscribers_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : subscribers_) {
      if (auto subscriber = weak.lock()) subscribers.push_back(std::move(subscriber));
    }
    changed_.NotifyAll();
  }
  // Outside the lock: a subscriber may end here.
  for (const auto& subscriber : subscribers) subscriber->OnChange();
}

StatePtr StateHub::Latest() const {
  MutexLock lock(mu_);
  return latest_;
}

absl::Status StateHub::WaitUntil(SteadyTime deadline,
                                 absl::FunctionRef<bool(const metalog::State&)> condition) {
  MutexLock lock(mu_);
  while (true) {
    if (stopped_) return absl::UnavailableError("the meta server is stopping");
    if (latest_ != nullptr && condition(*latest_)) return absl::OkStatus();
    if (std::chrono::steady_clock::now() >= deadline) {
      return absl::DeadlineExceededError("the condition did not come true in time");
    }
    changed_.WaitUntil(mu_, deadline);
  }
}

void StateHub::Poke() {
  MutexLock lock(mu_);
  changed_.NotifyAll();
}

void StateHub::Stop() {
  MutexLock lock(mu_);
  stopped_ = true;
  changed_.NotifyAll();
}

bool StateHub::stopped() const {
  MutexLock lock(mu_);
  return stopped_;
}

void StateHub::Subscribe(const std::shared_ptr<Subscriber>& subscriber) {
  {
    MutexLock lock(mu_);
    subscribers_.push_back(subscriber);
    if (latest_ == nullptr) return;
  }
  subscriber->OnChange();
}

}  // namespace kdb::meta

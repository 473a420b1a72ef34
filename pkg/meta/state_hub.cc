#include "pkg/meta/state_hub.h"

#include <utility>

#include "pkg/base/status.h"

namespace kdb::meta {

void StateHub::Publish(const StatePtr& state) {
  {
    MutexLock lock(mu_);
    latest_ = state;
    changed_.NotifyAll();
  }
  TellSubscribers();
}

void StateHub::TellSubscribers() {
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  {
    MutexLock lock(mu_);
    std::erase_if(subscribers_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : subscribers_) {
      if (auto subscriber = weak.lock()) subscribers.push_back(std::move(subscriber));
    }
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
    KDB_RETURN_IF_ERROR(stopped_);
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

void StateHub::Stop(const absl::Status& why) {
  {
    MutexLock lock(mu_);
    stopped_.Update(why);
    changed_.NotifyAll();
  }
  TellSubscribers();
}

absl::Status StateHub::stopped() const {
  MutexLock lock(mu_);
  return stopped_;
}

void StateHub::Subscribe(const std::shared_ptr<Subscriber>& subscriber) {
  {
    MutexLock lock(mu_);
    subscribers_.push_back(subscriber);
    if (latest_ == nullptr && stopped_.ok()) return;
  }
  subscriber->OnChange();
}

}  // namespace kdb::meta

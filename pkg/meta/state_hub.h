// Where the applied catalog meets those who wait for it: calls that block until a condition holds,
// and watchers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "pkg/base/mutex.h"
#include "pkg/meta/catalog_state.h"

namespace kdb::meta {

using SteadyTime = std::chrono::steady_clock::time_point;

// Thread-safe.
class StateHub {
 public:
  class Subscriber {
   public:
    virtual ~Subscriber() = default;
    // There may be a newer state, see Latest, or none any more, see stopped. None is handed over,
    // since calls come from several threads, that of an older state perhaps last. Must not block:
    // the apply role is one of them.
    virtual void OnChange() = 0;
  };

  // States come in order.
  void Publish(const StatePtr& state);
  // nullptr until the first Publish.
  StatePtr Latest() const;

  // Blocks until `condition` holds for the latest state (which is there). It is asked again at
  // every Publish and Poke; it must not block nor call the hub. DEADLINE_EXCEEDED; UNAVAILABLE when
  // stopped.
  absl::Status WaitUntil(SteadyTime deadline,
                         absl::FunctionRef<bool(const metalog::State&)> condition);
  // Something else that conditions look at changed.
  void Poke();
  // Ends waits and watches, present and future, for this reason, which is not OK.
  void Stop(const absl::Status& why);
  // OK, or why it was stopped.
  absl::Status stopped() const;

  // `subscriber` is told at once of the latest state, if there is one, and of later ones while it
  // lives.
  void Subscribe(const std::shared_ptr<Subscriber>& subscriber);

 private:
  void TellSubscribers();

  mutable Mutex mu_;
  CondVar changed_;
  absl::Status stopped_ ABSL_GUARDED_BY(mu_);
  StatePtr latest_ ABSL_GUARDED_BY(mu_);
  // Weak: a watcher that ended is dropped at the next Publish.
  std::vector<std::weak_ptr<Subscriber>> subscribers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kdb::meta

// Child processes that are started again when they die, as Kubernetes would.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "pkg/base/mutex.h"

namespace kdb::ctl {

struct ChildSpec {
  std::string name;
  std::vector<std::string> argv;  // argv[0]: the program's path
  std::string log_path;           // stdout and stderr are appended to it
  int stop_rank = 0;              // lower ones are stopped first
};

struct SupervisorOptions {
  bool restart = true;
  std::chrono::milliseconds first_restart{100};
  std::chrono::milliseconds last_restart{5000};  // doubling from first_restart
  std::chrono::milliseconds stable_after{
      10'000};  // a child that lived so long starts over at first_restart
  std::chrono::milliseconds stop_timeout{15'000};  // then SIGKILL
};

// Thread-safe. Has one thread, which forks and reaps; the children get SIGTERM if it goes
// (PR_SET_PDEATHSIG). The caller has blocked SIGCHLD in all threads.
class Supervisor {
 public:
  struct Child {
    std::string name;
    pid_t pid = 0;  // 0: not running
    int restarts = 0;
  };

  // `on_change` is called on the supervisor's thread after every start and end, with all children.
  Supervisor(const SupervisorOptions& options, std::vector<ChildSpec> specs,
             std::function<void(const std::vector<Child>&)> on_change);
  // Stops what still runs.
  ~Supervisor();

  // SIGTERM by rank, SIGKILL after the timeout; waits. An error names the children that had to be
  // killed or that ended with a status other than 0.
  absl::Status Stop();

  std::vector<Child> children() const;
  // Why a child ended last: "exit code 1"; empty when none has.
  std::string LastEnd(const std::string& name) const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct State {
    ChildSpec spec;
    Child child;
    Time started;
    Time restart_at = Time::max();
    std::chrono::milliseconds backoff{};
    std::string last_end;
    bool killed = false;
  };

  void Run();
  void StartDueLocked(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReapLocked(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopStepLocked(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Child> ChildrenLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const SupervisorOptions options_;
  const std::function<void(const std::vector<Child>&)> on_change_;

  mutable Mutex mu_;
  CondVar stopped_cv_;
  std::vector<State> states_ ABSL_GUARDED_BY(mu_);
  bool changed_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  int stop_rank_ ABSL_GUARDED_BY(mu_) = -1;  // being stopped; -1: none yet
  Time kill_at_ ABSL_GUARDED_BY(mu_) = Time::max();

  std::thread thread_;  // last
};

}  // namespace kdb::ctl

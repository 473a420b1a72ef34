#include "pkg/ctl/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>
#include <utility>

namespace kdb::ctl {
namespace {

// The supervisor's thread looks for ended children at least so often; SIGCHLD wakes it earlier.
constexpr std::chrono::milliseconds kPoll{50};

// In the child, after fork: only async-signal-safe calls.
[[noreturn]] void Exec(char* const* argv, const char* log_path) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  setpgid(0, 0);  // Ctrl-C at the terminal is for the parent, which stops its children in order
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);
  int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log >= 0) {
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null >= 0) dup2(null, STDIN_FILENO);
  execv(argv[0], argv);
  const char* why = strerrordesc_np(errno);  // strerror may allocate
  (void)!write(STDERR_FILENO, why, strlen(why));
  (void)!write(STDERR_FILENO, "\n", 1);
  _exit(127);
}

pid_t Spawn(const ChildSpec& spec) {
  std::vector<char*> argv;
  for (const std::string& arg : spec.argv) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  pid_t pid = fork();
  if (pid == 0) Exec(argv.data(), spec.log_path.c_str());
  return pid;
}

std::string DescribeEnd(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

}  // namespace

Supervisor::Supervisor(const SupervisorOptions& options, std::vector<ChildSpec> specs,
                       std::function<void(const std::vector<Child>&)> on_change)
    : options_(options), on_change_(std::move(on_change)) {
  MutexLock lock(mu_);
  for (ChildSpec& spec : specs) {
    State state;
    state.child.name = spec.name;
    state.spec = std::move(spec);
    state.restart_at = Time::min();
    state.backoff = options_.first_restart;
    states_.push_back(std::move(state));
  }
  thread_ = std::thread([this] { Run(); });
}

Supervisor::~Supervisor() {
  Stop().IgnoreError();  // whoever wants the verdict has called it
  thread_.join();
}

absl::Status Supervisor::Stop() {
  MutexLock lock(mu_);
  stopping_ = true;
  while (!stopped_) stopped_cv_.Wait(mu_);
  std::vector<std::string> bad;
  for (const State& s : states_) {
    if (s.killed) {
      bad.push_back(fmt::format("{} had to be killed", s.child.name));
    } else if (!s.last_end.empty() && s.last_end != "exit code 0" && s.restart_at != Time::max()) {
      bad.push_back(
          fmt::format("{} ended with {}: see {}", s.child.name, s.last_end, s.spec.log_path));
    }
  }
  return bad.empty() ? absl::OkStatus()
                     : absl::InternalError(fmt::format("{}", fmt::join(bad, "; ")));
}

std::vector<Supervisor::Child> Supervisor::children() const {
  MutexLock lock(mu_);
  return ChildrenLocked();
}

std::string Supervisor::LastEnd(const std::string& name) const {
  MutexLock lock(mu_);
  for (const State& s : states_) {
    if (s.child.name == name) return s.last_end;
  }
  return "";
}

void Supervisor::Run() {
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  for (bool done = false; !done;) {
    std::vector<Child> changed;
    {
      MutexLock lock(mu_);
      Time now = std::chrono::steady_clock::now();
      ReapLocked(now);
      if (stopping_) {
        StopStepLocked(now);
      } else {
        StartDueLocked(now);
      }
      if (std::exchange(changed_, false)) changed = ChildrenLocked();
      done = stopped_;
    }
    if (!changed.empty() && on_change_) on_change_(changed);
    if (done) break;
    timespec wait{0, std::chrono::nanoseconds(kPoll).count()};
    sigtimedwait(&chld, nullptr, &wait);
  }
  MutexLock lock(mu_);
  stopped_cv_.NotifyAll();
}

void Supervisor::StartDueLocked(Time now) {
  for (State& s : states_) {
    if (s.child.pid != 0 || s.restart_at > now) continue;
    bool first = s.restart_at == Time::min();
    pid_t pid = Spawn(s.spec);
    if (pid < 0) {
      s.last_end = fmt::format("fork: {}", std::system_category().message(errno));
      s.restart_at = now + options_.last_restart;
      continue;
    }
    s.child.pid = pid;
    s.started = now;
    if (!first) ++s.child.restarts;
    changed_ = true;
  }
}

void Supervisor::ReapLocked(Time now) {
  for (State& s : states_) {
    int status = 0;
    if (s.child.pid == 0 || waitpid(s.child.pid, &status, WNOHANG) != s.child.pid) continue;
    s.child.pid = 0;
    s.last_end = DescribeEnd(status);
    if (now - s.started >= options_.stable_after) s.backoff = options_.first_restart;
    s.restart_at = options_.restart ? now + s.backoff : Time::max();
    s.backoff = std::min(s.backoff * 2, options_.last_restart);
    changed_ = true;
  }
}

void Supervisor::StopStepLocked(Time now) {
  int lowest = INT_MAX;
  for (const State& s : states_) {
    if (s.child.pid != 0) lowest = std::min(lowest, s.spec.stop_rank);
  }
  if (lowest == INT_MAX) {
    stopped_ = true;
    return;
  }
  bool next_rank = lowest != stop_rank_;
  bool kill_now = !next_rank && now >= kill_at_;
  if (!next_rank && !kill_now) return;
  if (next_rank) kill_at_ = now + options_.stop_timeout;
  stop_rank_ = lowest;
  for (State& s : states_) {
    if (s.child.pid == 0 || s.spec.stop_rank != lowest) continue;
    s.killed = kill_now;
    kill(s.child.pid, kill_now ? SIGKILL : SIGTERM);
  }
  if (kill_now) kill_at_ = Time::max();
}

std::vector<Supervisor::Child> Supervisor::ChildrenLocked() const {
  std::vector<Child> children;
  for (const State& s : states_) children.push_back(s.child);
  return children;
}

}  // namespace kdb::ctl

#include "cmd/process/process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/config/addresses.h"

namespace kdb::process {
namespace {

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void AddLogSettings(config::Settings& settings, LogSettings* log) {
  settings.AddChoice("log-level", &log->level, "Log level",
                     {"trace", "debug", "info", "warn", "error"});
  settings.AddChoice("log-format", &log->format, "Log format", {"text", "json"});
  settings.Add("instance", &log->instance, "Name of this process in logs");
}

obs::Logger NewLogger(const std::string& program, const LogSettings& log) {
  auto format = log.format == "json" ? obs::LogFormat::kJson : obs::LogFormat::kText;
  obs::Logger logger = obs::NewLogger(program, log.instance, format);
  absl::Status status = obs::SetLogLevel(*logger, log.level);
  KDB_CHECK(status.ok(), "{}", std::string(status.message()));
  return logger;
}

void AddPortSettings(config::Settings& settings, rpc::ServerOptions* port) {
  using std::chrono::milliseconds;
  settings.Add("listen", &port->address, "host:port of gRPC and of the frame protocol",
               config::IsListenAddress);
  settings.Add("max-connections", &port->max_connections, "Connections to this port", 16,
               1'000'000);
  settings.AddDuration("preface-timeout", &port->preface_timeout,
                       "A new connection says what it speaks within this time", milliseconds(100),
                       milliseconds(600'000));
}

void FitToDescriptors(spdlog::logger& logger, uint64_t reserved, const std::string& setting,
                      uint64_t* connections) {
  rlimit limit{};
  KDB_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "{}", errno);
  const rlim_t soft = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = soft;
  const uint64_t all = limit.rlim_cur;
  const uint64_t room = std::max(all - std::min(all, reserved), all / 2);
  if (room >= *connections) return;
  logger.warn(
      "{} is {}, not {}: this process may open only {} files (ulimit -n), and not all as "
      "connections",
      setting, room, *connections, all);
  *connections = room;
}

void BlockSignals() {
  signal(SIGPIPE, SIG_IGN);
  sigset_t set = Signals();
  KDB_CHECK(pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
}

void WaitForSignal(spdlog::logger& logger) {
  sigset_t set = Signals();
  int received = 0;
  KDB_CHECK(sigwait(&set, &received) == 0);
  logger.info("{}: stopping", received == SIGINT ? "SIGINT" : "SIGTERM");
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Die(spdlog::logger& logger, const absl::Status& status) {
  logger.critical("{}", std::string(status.message()));
  logger.flush();
  _exit(1);
}

int Fail(const std::string& program, const absl::Status& status) {
  fmt::print(stderr, "{}: {}\n", program, std::string(status.message()));
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace kdb::process

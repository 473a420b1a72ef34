#include "pkg/ctl/demo.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/ctl/demo_dir.h"
#include "pkg/ctl/probe.h"
#include "pkg/ctl/transcript.h"
#include "pkg/env/errno_status.h"
#include "pkg/env/file_system.h"
#include "pkg/rpc/meta_client.h"

namespace kdb::ctl {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kStartTimeout{60'000};
constexpr milliseconds kStep{20};
constexpr uint64_t kGroup = 1;

sigset_t Signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

// SIGINT or SIGTERM came, within `timeout`.
bool WaitForSignal(milliseconds timeout) {
  sigset_t set = Signals();
  timespec wait{timeout.count() / 1000, (timeout.count() % 1000) * 1'000'000};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

void Say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

class Demo {
 public:
  Demo(const DemoOptions& options, std::vector<DemoProcess> processes)
      : options_(options), fs_(NewPosixFileSystem()), processes_(std::move(processes)) {}

  absl::Status Run() {
    KDB_RETURN_IF_ERROR(Prepare());
    auto start = std::chrono::steady_clock::now();
    supervisor_ =
        std::make_unique<Supervisor>(SupervisorOptions{.restart = options_.supervise}, Specs(),
                                     [this](const auto& children) { WriteState(children); });
    absl::Status status = Serve(start);
    Say("stopping");
    absl::Status stopped = supervisor_->Stop();
    return status.ok() ? stopped : status;
  }

 private:
  // Everything that can be refused before anything is changed or started.
  absl::Status Prepare() {
    if (!options_.script.empty()) KDB_RETURN_IF_ERROR(ReadScript());
    KDB_RETURN_IF_ERROR(CheckPrograms());
    KDB_ASSIGN_OR_RETURN(DemoDir dir, DemoDir::Claim(*fs_, options_.dir));
    dir_ = std::make_unique<DemoDir>(std::move(dir));
    KDB_RETURN_IF_ERROR(CheckPorts());
    if (options_.fresh) KDB_RETURN_IF_ERROR(dir_->Clear());
    KDB_RETURN_IF_ERROR(CreateDirs(*fs_, options_.dir + "/logs"));
    WriteState({});
    return absl::OkStatus();
  }

  absl::Status ReadScript() {
    KDB_ASSIGN_OR_RETURN(std::string text, ReadFile(*fs_, options_.script));
    std::map<std::string, std::string> names;
    for (const DemoProcess& p : processes_) names[p.name] = p.address;
    absl::StatusOr<std::vector<Exchange>> transcript = ParseTranscript(text, names);
    if (!transcript.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: {}", options_.script, std::string(transcript.status().message())));
    }
    transcript_ = *std::move(transcript);
    return absl::OkStatus();
  }

  absl::Status CheckPrograms() const {
    for (const DemoProcess& p : processes_) {
      const std::string& program = p.spec.argv.front();
      if (::access(program.c_str(), X_OK) == 0) continue;
      absl::Status why = ErrnoStatus(errno, "run", program);
      return absl::Status(why.code(), fmt::format("{}; build it, or say where by --binaries",
                                                  std::string(why.message())));
    }
    return absl::OkStatus();
  }

  absl::Status CheckPorts() const {
    for (const DemoProcess& p : processes_) {
      for (const std::string& address : {p.address, p.admin, p.kv_api}) {
        if (address.empty()) continue;
        int port = std::atoi(address.c_str() + address.rfind(':') + 1);
        if (!ProbePortFree(static_cast<uint16_t>(port)).ok()) {
          return absl::AlreadyExistsError(
              fmt::format("port {} of {} is in use: stop what listens there (another demo?) or "
                          "choose another --port",
                          port, p.name));
        }
      }
    }
    return absl::OkStatus();
  }

  std::vector<ChildSpec> Specs() const {
    std::vector<ChildSpec> specs;
    for (const DemoProcess& p : processes_) specs.push_back(p.spec);
    return specs;
  }

  std::vector<std::string> Addresses(const std::string& kind) const {
    std::vector<std::string> addresses;
    for (const DemoProcess& p : processes_) {
      if (p.kind == kind) addresses.push_back(p.address);
    }
    return addresses;
  }

  absl::Status Serve(std::chrono::steady_clock::time_point start) {
    KDB_RETURN_IF_ERROR(BringUp());
    Say(fmt::format("healthy after {} ms", std::chrono::duration_cast<milliseconds>(
                                               std::chrono::steady_clock::now() - start)
                                               .count()));
    absl::Status played = options_.script.empty()
                              ? absl::OkStatus()
                              : PlayTranscript(transcript_, static_cast<int>(options_.port));
    if (options_.check) {
      if (played.ok()) Say("the transcript matches");
      return played;
    }
    if (!played.ok()) Say(fmt::format("note: {}", std::string(played.message())));
    Say(HowToConnect(options_, processes_));
    while (!WaitForSignal(milliseconds(60'000))) {
    }
    return absl::OkStatus();
  }

  // Servers up, meta bootstrapped, the group registered and, without a script, joined with all
  // slots; proxies ready.
  absl::Status BringUp() {
    for (const DemoProcess& p : processes_) {
      if (p.kind != "proxy") KDB_RETURN_IF_ERROR(Await(p, "/startupz"));
    }
    rpc::MetaClient meta({.seeds = Addresses("meta")}, Random(SystemSeed()));
    KDB_RETURN_IF_ERROR(meta.Bootstrap(Addresses("meta"), kStartTimeout).status());
    for (const DemoProcess& p : processes_) {
      if (p.kind == "meta") KDB_RETURN_IF_ERROR(Await(p, "/readyz"));
    }
    KDB_RETURN_IF_ERROR(meta.Register(kGroup, Addresses("kv"), kStartTimeout));
    if (options_.script.empty()) {
      KDB_RETURN_IF_ERROR(meta.Join(kGroup, Addresses("kv"), kStartTimeout));
      std::vector<uint32_t> slots;
      for (uint32_t slot = 0; slot < 1024; ++slot) slots.push_back(slot);
      KDB_RETURN_IF_ERROR(meta.Move(kGroup, slots, kStartTimeout));
      for (const DemoProcess& p : processes_) {
        if (p.kind == "kv") KDB_RETURN_IF_ERROR(Await(p, "/readyz"));
      }
    }
    for (const DemoProcess& p : processes_) {
      if (p.kind == "proxy") KDB_RETURN_IF_ERROR(Await(p, "/readyz"));
    }
    return absl::OkStatus();
  }

  absl::Status Await(const DemoProcess& p, const std::string& probe) {
    auto deadline = std::chrono::steady_clock::now() + kStartTimeout;
    fmt::print("waiting for {} {} ... ", p.name, probe);
    std::fflush(stdout);
    absl::Status status;
    while (!(status = ProbeHttp(p.admin, probe)).ok()) {
      if (std::string end = supervisor_->LastEnd(p.name); !end.empty()) {
        Say("failed");
        return absl::UnavailableError(
            fmt::format("{} ended with {}: {}", p.name, end, LastLogLine(p.spec.log_path)));
      }
      if (std::chrono::steady_clock::now() > deadline) {
        Say("failed");
        return absl::DeadlineExceededError(fmt::format(
            "{} is not healthy after {} s: {}; see {}", p.name, kStartTimeout.count() / 1000,
            std::string(status.message()), p.spec.log_path));
      }
      if (WaitForSignal(kStep)) {
        Say("interrupted");
        return absl::CancelledError("interrupted while starting");
      }
    }
    Say("ok");
    return absl::OkStatus();
  }

  std::string LastLogLine(const std::string& path) const {
    absl::StatusOr<std::string> log = ReadFile(*fs_, path);
    if (!log.ok() || log->empty()) return fmt::format("see {}", path);
    while (!log->empty() && log->back() == '\n') log->pop_back();
    size_t start = log->rfind('\n');
    return fmt::format("{} (see {})", log->substr(start == std::string::npos ? 0 : start + 1),
                       path);
  }

  void WriteState(const std::vector<Supervisor::Child>& children) {
    nlohmann::json state{{"port", options_.port}, {"supervisor_pid", getpid()}};
    for (const DemoProcess& p : processes_) {
      nlohmann::json process{{"name", p.name},         {"kind", p.kind},     {"address", p.address},
                             {"admin", p.admin},       {"pid", 0},           {"restarts", 0},
                             {"log", p.spec.log_path}, {"argv", p.spec.argv}};
      if (!p.dir.empty()) process["data"] = p.dir;
      if (!p.kv_api.empty()) process["kv_api"] = p.kv_api;
      for (const Supervisor::Child& child : children) {
        if (child.name != p.name) continue;
        process["pid"] = child.pid;
        process["restarts"] = child.restarts;
      }
      state["processes"].push_back(std::move(process));
    }
    absl::Status s = dir_->WriteState(state.dump(2) + "\n");
    if (!s.ok()) Say(fmt::format("note: {}", std::string(s.message())));
  }

  const DemoOptions options_;
  const std::unique_ptr<FileSystem> fs_;
  const std::vector<DemoProcess> processes_;
  std::vector<Exchange> transcript_;
  std::unique_ptr<DemoDir> dir_;
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace

absl::Status RunDemo(const DemoOptions& options) {
  KDB_ASSIGN_OR_RETURN(std::vector<DemoProcess> processes, DemoLayout(options));
  return Demo(options, std::move(processes)).Run();
}

}  // namespace kdb::ctl

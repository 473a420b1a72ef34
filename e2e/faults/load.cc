// kdb-load: mixed load on the Redis ports of proxies, recorded for check_history.
//
//   kdb-load run  --ports P,... --history FILE --prefix KEYS [--connections N] [--keys N] [--seed
//   S] [--seconds N] kdb-load read --ports P,... --history FILE
//
// `run` goes on until SIGTERM (or for --seconds), finishes what is under way, writes the history
// and prints a summary as one line of JSON. `read` reads every key of the history once and appends
// that to it: for when the cluster is well again.

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "e2e/faults/client.h"
#include "e2e/faults/recorder.h"
#include "e2e/faults/workload.h"
#include "pkg/base/random.h"
#include "pkg/base/status.h"

namespace kdb::e2e {
namespace {

using std::chrono::milliseconds;

// The proxy answers within its deadline of 10 s; longer is an error of its own.
constexpr milliseconds kReplyTimeout{20'000};
constexpr milliseconds kReconnectPause{10};

struct Flags {
  std::vector<uint16_t> ports;
  std::string history;
  std::string prefix = "k";
  size_t connections = 8;
  size_t keys = 16;
  uint64_t seed = 1;
  uint64_t seconds = 0;  // 0: until SIGTERM
};

// One connection, made again when it breaks.
class Worker {
 public:
  Worker(const Flags& flags, size_t number, KeySpace& keys, const std::atomic<bool>& stop)
      : port_(flags.ports[number % flags.ports.size()]),
        stop_(stop),
        keys_(keys),
        workload_(keys, fmt::format("{}c{}", flags.prefix, number), flags.seed * 1000 + number) {}

  void Run() {
    while (!stop_) {
      absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(port_);
      if (!client.ok()) {
        std::this_thread::sleep_for(kReconnectPause);
        continue;
      }
      recorder_.CountReconnect();
      while (!stop_ && RunBatch(**client)) {
        std::this_thread::sleep_for(milliseconds(workload_.Pause()));
      }
    }
  }

  Recorder TakeRecord() { return std::move(recorder_); }

 private:
  // False when the connection is of no use any more.
  bool RunBatch(Client& client) {
    std::vector<Workload::Call> calls = workload_.Next();
    std::string bytes;
    for (const Workload::Call& call : calls) Encode(call.op, &bytes);
    int64_t now = Now();
    for (Workload::Call& call : calls) call.op.call = now;
    absl::Status status = client.Send(bytes);
    for (Workload::Call& call : calls) {
      absl::StatusOr<Reply> reply =
          status.ok() ? client.Receive(kReplyTimeout) : absl::StatusOr<Reply>(status);
      if (reply.ok()) {
        if (recorder_.Record(std::move(call.op), *reply) == Outcome::kUnknown) {
          keys_.CountUnknown(call.slot);
        }
        continue;
      }
      status = reply.status();
      recorder_.RecordOpen(std::move(call.op), absl::IsDeadlineExceeded(status));
      keys_.CountUnknown(call.slot);
    }
    return status.ok();
  }

  const uint16_t port_;
  const std::atomic<bool>& stop_;
  KeySpace& keys_;
  Workload workload_;
  Recorder recorder_;
};

absl::Status WriteHistory(const std::string& path, const Recorder& record) {
  std::ofstream out(path, std::ios::app);
  for (const testing::Operation& op : record.history()) out << testing::FormatOperation(op) << '\n';
  out.flush();
  return out ? absl::OkStatus() : absl::UnknownError("cannot write " + path);
}

void WaitForEnd(uint64_t seconds) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  timespec wait{.tv_sec = static_cast<time_t>(seconds == 0 ? 86'400 : seconds), .tv_nsec = 0};
  sigtimedwait(&set, nullptr, &wait);
}

absl::Status RunLoad(const Flags& flags) {
  KeySpace keys(flags.prefix, flags.keys);
  std::atomic<bool> stop = false;
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < flags.connections; ++i) {
    workers.push_back(std::make_unique<Worker>(flags, i, keys, stop));
    threads.emplace_back([worker = workers.back().get()] { worker->Run(); });
  }
  WaitForEnd(flags.seconds);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  Recorder record;
  for (const auto& worker : workers) record.Add(worker->TakeRecord());
  fmt::print("{}\n", record.Summary());
  return WriteHistory(flags.history, record);
}

absl::Status ReadKeys(const Flags& flags) {
  std::ifstream in(flags.history);
  std::stringstream text;
  text << in.rdbuf();
  KDB_ASSIGN_OR_RETURN(std::vector<testing::Operation> history, testing::ParseHistory(text.str()));
  std::set<std::string> keys;
  for (const testing::Operation& op : history) keys.insert(op.key);
  std::vector<std::unique_ptr<Client>> clients;
  for (uint16_t port : flags.ports) {
    KDB_ASSIGN_OR_RETURN(clients.emplace_back(), Client::Connect(port));
  }
  Recorder record;
  size_t next = 0;
  for (const std::string& key : keys) {
    Client& client = *clients[next++ % clients.size()];
    testing::Operation op{.key = key, .call = Now(), .client = "reader"};
    std::string bytes;
    Encode(op, &bytes);
    KDB_RETURN_IF_ERROR(client.Send(bytes));
    KDB_ASSIGN_OR_RETURN(Reply reply, client.Receive(kReplyTimeout));
    if (record.Record(std::move(op), reply) != Outcome::kDone) {
      return absl::UnavailableError(fmt::format("GET {}: {}", key, reply.text));
    }
  }
  fmt::print("{}\n", record.Summary());
  return WriteHistory(flags.history, record);
}

}  // namespace
}  // namespace kdb::e2e

int main(int argc, char** argv) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);

  kdb::e2e::Flags flags;
  CLI::App app("Mixed load on proxies, recorded.", "kdb-load");
  app.require_subcommand(1);
  CLI::App* run = app.add_subcommand("run", "Load until SIGTERM");
  CLI::App* read = app.add_subcommand("read", "Read every key of a history");
  for (CLI::App* command : {run, read}) {
    command->add_option("--ports", flags.ports, "Of proxies, on 127.0.0.1")
        ->delimiter(',')
        ->required();
    command->add_option("--history", flags.history, "File that operations are appended to")
        ->required();
  }
  run->add_option("--prefix", flags.prefix, "Of all keys");
  run->add_option("--connections", flags.connections);
  run->add_option("--keys", flags.keys, "Of each family");
  run->add_option("--seed", flags.seed);
  run->add_option("--seconds", flags.seconds, "0: until SIGTERM");
  CLI11_PARSE(app, argc, argv);
  absl::Status status = *run ? kdb::e2e::RunLoad(flags) : kdb::e2e::ReadKeys(flags);
  if (status.ok()) return 0;
  fmt::print(stderr, "kdb-load: {}\n", std::string(status.message()));
  return 1;
}

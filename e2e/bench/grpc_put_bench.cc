// A closed-loop gRPC client for `make bench`: the same loop puts to (or gets from) etcd and
// ERaftKDB's KV API, so that only the servers differ. N connections, one call in flight on each;
// prints one JSON object. Any failed call ends the run with exit code 1: a figure with errors in it
// is no figure.
#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "e2e/bench/etcd_rpc.grpc.pb.h"
#include "proto/kv.grpc.pb.h"

namespace kdb::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Options {
  std::string target;
  std::string api = "kdb";
  std::string op = "put";
  int connections = 50;
  int threads = 2;
  int keys = 100'000;
  int value_bytes = 64;
  int warmup_ms = 500;
  int duration_ms = 10'000;
  bool load = false;  // every key once instead of random ones for a time
  uint64_t seed = 1;
};

struct EtcdPut {
  using Service = etcdserverpb::KV;
  using Request = etcdserverpb::PutRequest;
  using Response = etcdserverpb::PutResponse;
  static constexpr auto kStart = &Service::Stub::AsyncPut;
  static constexpr bool kWrite = true;
  static bool Good(const Response&) { return true; }
};

struct EtcdGet {
  using Service = etcdserverpb::KV;
  using Request = etcdserverpb::RangeRequest;
  using Response = etcdserverpb::RangeResponse;
  static constexpr auto kStart = &Service::Stub::AsyncRange;
  static constexpr bool kWrite = false;
  static bool Good(const Response& response) { return response.count() == 1; }
};

struct KdbPut {
  using Service = kdb::kv::v1::KV;
  using Request = kdb::kv::v1::PutRequest;
  using Response = kdb::kv::v1::PutResponse;
  static constexpr auto kStart = &Service::Stub::AsyncPut;
  static constexpr bool kWrite = true;
  static bool Good(const Response&) { return true; }
};

struct KdbGet {
  using Service = kdb::kv::v1::KV;
  using Request = kdb::kv::v1::GetRequest;
  using Response = kdb::kv::v1::GetResponse;
  static constexpr auto kStart = &Service::Stub::AsyncGet;
  static constexpr bool kWrite = false;
  static bool Good(const Response& response) { return response.found(); }
};

// Which keys, and from when to when calls count; the time begins with the object. Shared by the
// workers; thread-safe.
class Plan {
 public:
  explicit Plan(const Options& options)
      : keys_(options.keys),
        load_(options.load),
        begin_(Clock::now() + milliseconds(options.load ? 0 : options.warmup_ms)),
        end_(options.load ? Clock::time_point::max() : begin_ + milliseconds(options.duration_ms)) {
  }

  // The next key's number; none when the run is over.
  std::optional<int> NextKey(std::mt19937_64& random) {
    if (failed_ || Clock::now() >= end_) return std::nullopt;
    if (!load_) return static_cast<int>(random() % static_cast<uint64_t>(keys_));
    int key = next_++;
    return key < keys_ ? std::optional<int>(key) : std::nullopt;
  }
  bool Counts(Clock::time_point finished) const { return finished >= begin_ && finished < end_; }
  void Fail() { failed_ = true; }
  bool failed() const { return failed_; }
  Clock::time_point begin() const { return begin_; }
  Clock::time_point end() const { return end_; }

 private:
  const int keys_;
  const bool load_;
  const Clock::time_point begin_;
  const Clock::time_point end_;
  std::atomic<int> next_{0};
  std::atomic<bool> failed_{false};
};

// One thread's connections, driven by one completion queue.
template <typename Operation>
class Worker {
 public:
  Worker(const Options& options, int connections, uint64_t seed)
      : random_(seed), value_(static_cast<size_t>(options.value_bytes), 'x') {
    for (int i = 0; i < connections; ++i) {
      grpc::ChannelArguments arguments;
      // Otherwise gRPC folds channels to one address into one connection.
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      std::shared_ptr<grpc::Channel> channel =
          grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
      connections_.push_back(std::make_unique<Connection>());
      connections_.back()->channel = channel;
      connections_.back()->stub = Operation::Service::NewStub(channel);
    }
  }

  bool Connect() {
    auto deadline = std::chrono::system_clock::now() + std::chrono::seconds(10);
    return std::all_of(connections_.begin(), connections_.end(), [&](const auto& connection) {
      return connection->channel->WaitForConnected(deadline);
    });
  }

  // Until the plan is over and every call is answered.
  void Run(Plan* plan) {
    plan_ = plan;
    int in_flight = 0;
    for (const auto& connection : connections_) in_flight += Start(connection.get()) ? 1 : 0;
    void* tag = nullptr;
    bool ok = false;
    while (in_flight > 0 && queue_.Next(&tag, &ok)) {
      auto* connection = static_cast<Connection*>(tag);
      Finish(connection);
      if (!Start(connection)) --in_flight;
    }
  }

  const std::vector<uint32_t>& latencies_us() const { return latencies_us_; }
  uint64_t answered() const { return answered_; }
  Clock::time_point last() const { return last_; }

 private:
  struct Connection {
    std::shared_ptr<grpc::Channel> channel;  // shared with the stub: gRPC's interface
    std::unique_ptr<typename Operation::Service::Stub> stub;
    typename Operation::Request request;
    typename Operation::Response response;
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<typename Operation::Response>> reader;
    grpc::Status status;
    Clock::time_point start;
  };

  bool Start(Connection* c) {
    std::optional<int> key = plan_->NextKey(random_);
    if (!key) return false;
    c->request.set_key(fmt::format("key:{:012}", *key));
    if constexpr (Operation::kWrite) c->request.set_value(value_);
    c->context.emplace();
    c->context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    c->start = Clock::now();
    c->reader = ((*c->stub).*Operation::kStart)(&*c->context, c->request, &queue_);
    c->reader->Finish(&c->response, &c->status, c);
    return true;
  }

  void Finish(Connection* c) {
    last_ = Clock::now();
    if (!c->status.ok() || !Operation::Good(c->response)) {
      if (!plan_->failed()) {
        fmt::print(stderr, "{}: code {}: {}\n", c->request.key(), c->status.error_code(),
                   c->status.ok() ? "no such key" : c->status.error_message());
      }
      plan_->Fail();
      return;
    }
    ++answered_;
    if (!plan_->Counts(last_)) return;
    auto latency = std::chrono::duration_cast<std::chrono::microseconds>(last_ - c->start);
    latencies_us_.push_back(static_cast<uint32_t>(latency.count()));
  }

  Plan* plan_ = nullptr;
  std::mt19937_64 random_;
  const std::string value_;
  grpc::CompletionQueue queue_;  // outlives the calls of connections_
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> latencies_us_;  // of the calls that count
  uint64_t answered_ = 0;               // all calls
  Clock::time_point last_;
};

nlohmann::json Summary(const Options& options, double seconds, uint64_t answered,
                       std::vector<uint32_t> latencies) {
  std::sort(latencies.begin(), latencies.end());
  auto percentile_ms = [&](double p) {
    size_t i = static_cast<size_t>(p * static_cast<double>(latencies.size() - 1));
    return latencies[i] / 1000.0;
  };
  return {{"api", options.api},
          {"op", options.op},
          {"connections", options.connections},
          {"seconds", seconds},
          {"ops", latencies.size()},
          {"all_ops", answered},
          {"ops_per_s", static_cast<double>(latencies.size()) / seconds},
          {"p50_ms", percentile_ms(0.5)},
          {"p95_ms", percentile_ms(0.95)},
          {"p99_ms", percentile_ms(0.99)},
          {"max_ms", latencies.back() / 1000.0}};
}

template <typename Operation>
int Run(const Options& options) {
  std::vector<std::unique_ptr<Worker<Operation>>> workers;
  int count = std::min(options.threads, options.connections);
  for (int i = 0; i < count; ++i) {
    int share = options.connections / count + (i < options.connections % count ? 1 : 0);
    workers.push_back(std::make_unique<Worker<Operation>>(options, share,
                                                          options.seed + static_cast<uint64_t>(i)));
    if (!workers.back()->Connect()) {
      fmt::print(stderr, "no connection to {}\n", options.target);
      return 1;
    }
  }
  Plan plan(options);
  std::vector<std::thread> threads;
  threads.reserve(workers.size());
  for (auto& worker : workers) threads.emplace_back([&] { worker->Run(&plan); });
  for (std::thread& thread : threads) thread.join();

  std::vector<uint32_t> latencies;
  uint64_t answered = 0;
  Clock::time_point last = plan.begin();
  for (const auto& worker : workers) {
    latencies.insert(latencies.end(), worker->latencies_us().begin(), worker->latencies_us().end());
    answered += worker->answered();
    last = std::max(last, worker->last());
  }
  if (plan.failed() || latencies.empty()) return 1;
  std::chrono::duration<double> seconds = std::min(last, plan.end()) - plan.begin();
  fmt::print("{}\n", Summary(options, seconds.count(), answered, std::move(latencies)).dump());
  return 0;
}

int RunChosen(const Options& options) {
  bool put = options.op == "put";
  if (options.api == "etcd") return put ? Run<EtcdPut>(options) : Run<EtcdGet>(options);
  return put ? Run<KdbPut>(options) : Run<KdbGet>(options);
}

}  // namespace
}  // namespace kdb::bench

int main(int argc, char** argv) {
  kdb::bench::Options options;
  CLI::App app("A closed-loop client of etcd's and ERaftKDB's gRPC APIs");
  app.add_option("--target", options.target, "host:port")->required();
  app.add_option("--api", options.api, "Whose API")->check(CLI::IsMember({"etcd", "kdb"}));
  app.add_option("--op", options.op, "What to call")->check(CLI::IsMember({"put", "get"}));
  app.add_option("--connections", options.connections, "Connections, one call in flight on each")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--threads", options.threads, "Client threads")->check(CLI::Range(1, 64));
  app.add_option("--keys", options.keys, "Distinct keys")->check(CLI::PositiveNumber);
  app.add_option("--value-bytes", options.value_bytes, "Size of a value")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--warmup-ms", options.warmup_ms, "Time before calls count")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--duration-ms", options.duration_ms, "Time during which calls count")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "Seed of the choice of keys");
  app.add_flag("--load", options.load,
               "Every key once, in order, instead of random keys for a time");
  CLI11_PARSE(app, argc, argv);
  return kdb::bench::RunChosen(options);
}

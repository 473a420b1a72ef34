#include <fmt/format.h>
#include <fmt/ranges.h>

#include "pkg/ctl/demo.h"

namespace kdb::ctl {
namespace {

constexpr uint64_t kMetaServers = 3;
constexpr uint64_t kMostPerKind = 10;
enum Offset : uint64_t {
  kProxy = 0,
  kKvApi = 10,
  kMeta = 20,
  kKv = 30,
  kProxyAdmin = 40,
  kMetaAdmin = 50,
  kKvAdmin = 60,
  kEnd = 70
};

class Layout {
 public:
  explicit Layout(const DemoOptions& options) : options_(options) {
    for (uint64_t i = 0; i < kMetaServers; ++i) meta_.push_back(Address(kMeta, i));
    for (uint64_t i = 0; i < options.replicas; ++i) kv_.push_back(Address(kKv, i));
  }

  DemoProcess Meta(uint64_t i) const {
    DemoProcess p = Server("meta", i, kMeta, kMetaAdmin, /*stop_rank=*/2);
    AddFlags(&p, {"--data-dir", p.dir, "--listen", p.address, "--admin-listen", p.admin});
    return p;
  }
  DemoProcess Kv(uint64_t i) const {
    DemoProcess p = Server("kv", i, kKv, kKvAdmin, /*stop_rank=*/1);
    AddFlags(&p, {"--data-dir", p.dir, "--listen", p.address, "--admin-listen", p.admin, "--meta",
                  fmt::format("{}", fmt::join(meta_, ","))});
    // A demo shares its disk with everything else: a share of it says little.
    AddFlags(&p, {"--disk-warn", "100", "--disk-full", "100"});
    AddFlags(&p, options_.kv_flags);
    return p;
  }
  DemoProcess Proxy(uint64_t i) const {
    DemoProcess p = Server("proxy", i, kProxy, kProxyAdmin, /*stop_rank=*/0);
    p.dir.clear();
    p.kv_api = Address(kKvApi, i);
    AddFlags(&p, {"--listen", p.address, "--admin-listen", p.admin, "--kv-listen", p.kv_api,
                  "--meta", fmt::format("{}", fmt::join(meta_, ",")), "--kv",
                  fmt::format("{}", fmt::join(kv_, ","))});
    return p;
  }

 private:
  std::string Address(Offset offset, uint64_t i) const {
    return fmt::format("127.0.0.1:{}", options_.port + offset + i);
  }
  DemoProcess Server(const std::string& kind, uint64_t i, Offset offset, Offset admin,
                     int stop_rank) const {
    DemoProcess p;
    p.name = fmt::format("{}-{}", kind, i);
    p.kind = kind;
    p.address = Address(offset, i);
    p.admin = Address(admin, i);
    p.dir = fmt::format("{}/{}", options_.dir, p.name);
    p.spec = {.name = p.name,
              .argv = {fmt::format("{}/kdb-{}", options_.binaries, kind), "--instance", p.name},
              .log_path = fmt::format("{}/logs/{}.log", options_.dir, p.name),
              .stop_rank = stop_rank};
    return p;
  }
  static void AddFlags(DemoProcess* p, const std::vector<std::string>& flags) {
    p->spec.argv.insert(p->spec.argv.end(), flags.begin(), flags.end());
  }

  const DemoOptions& options_;
  std::vector<std::string> meta_, kv_;
};

}  // namespace

absl::StatusOr<std::vector<DemoProcess>> DemoLayout(const DemoOptions& options) {
  if (options.port == 0 || options.port + kEnd > 65536) {
    return absl::InvalidArgumentError(
        fmt::format("--port {} is out of range: 1 to {}", options.port, 65536 - kEnd));
  }
  if (options.replicas == 0 || options.replicas > kMostPerKind || options.proxies == 0 ||
      options.proxies > kMostPerKind) {
    return absl::InvalidArgumentError(
        fmt::format("--replicas and --proxies are out of range: 1 to {}", kMostPerKind));
  }
  Layout layout(options);
  std::vector<DemoProcess> processes;
  for (uint64_t i = 0; i < kMetaServers; ++i) processes.push_back(layout.Meta(i));
  for (uint64_t i = 0; i < options.replicas; ++i) processes.push_back(layout.Kv(i));
  for (uint64_t i = 0; i < options.proxies; ++i) processes.push_back(layout.Proxy(i));
  return processes;
}

std::string HowToConnect(const DemoOptions& options, const std::vector<DemoProcess>& processes) {
  std::vector<std::string> meta, redis, kv_api, metrics;
  for (const DemoProcess& p : processes) {
    metrics.push_back(fmt::format("http://{}/metrics", p.admin));
    if (p.kind == "meta") meta.push_back(p.address);
    if (p.kind != "proxy") continue;
    redis.push_back(p.address);
    kv_api.push_back(p.kv_api);
  }
  std::string text = fmt::format("\nready: redis-cli -p {}\n", options.port);
  if (redis.size() > 1) text += fmt::format("proxies: {}\n", fmt::join(redis, " "));
  text += fmt::format("KV API (gRPC): {}\n", fmt::join(kv_api, " "));
  text += fmt::format("status:  kdbctl --meta {} status\n", fmt::join(meta, ","));
  text += fmt::format("logs:    {0}/logs\ndata:    {0}\n", options.dir);
  text += fmt::format("metrics: {}\n", fmt::join(metrics, " "));
  return text + "Ctrl-C stops the cluster; the data stay for the next run";
}

}  // namespace kdb::ctl

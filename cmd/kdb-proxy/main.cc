// kdb-proxy: the stateless front door: RESP, and the KV API over gRPC.

#include <fmt/format.h>

#include "cmd/process/process.h"
#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/config/addresses.h"
#include "pkg/obs/admin_http.h"
#include "pkg/proxy/proxy_server.h"

namespace kdb {
namespace {

using std::chrono::milliseconds;

constexpr char kProgram[] = "kdb-proxy";

struct Flags {
  proxy::ProxyOptions proxy;
  std::string admin_listen = "127.0.0.1:9079";
  milliseconds drain{10'000};
  process::LogSettings log;
};

void AddSettings(config::Settings& s, Flags* f) {
  s.Add("listen", &f->proxy.listen, "host:port for Redis clients; several, comma-separated",
        config::IsListenAddress);
  s.Add("kv-listen", &f->proxy.kv_listen, "host:port of the KV API (gRPC); empty: not served",
        config::IsListenAddressOrNone);
  s.Add("admin-listen", &f->admin_listen, "host:port of metrics and probes (HTTP)",
        config::IsListenAddress);
  s.Add("meta", &f->proxy.meta_seeds, "host:port of meta servers, comma-separated",
        config::IsPeerAddress);
  s.Add("kv", &f->proxy.kv_seeds,
        "host:port of kv servers: asked for the catalog while meta is down", config::IsPeerAddress);
  s.Add("cluster", &f->proxy.cluster_id, "Cluster id; empty: that of the first catalog seen");
  s.Add("io-threads", &f->proxy.io_threads, "Threads that serve clients", 1, 256);
  s.Add("password-file", &f->proxy.password_file,
        "A password a line; read again when it changes; empty: none");
  s.AddDuration("deadline", &f->proxy.deadline, "How long a command waits for a leader",
                milliseconds(100), milliseconds(600'000));
  s.Add("max-clients", &f->proxy.max_clients, "Connections", 1, 1'000'000);
  s.AddBytes("max-bulk", &f->proxy.max_bulk_bytes, "Largest argument", 1 << 10, 512 << 20);
  s.AddBytes("max-request", &f->proxy.max_request_bytes, "Largest command with all its arguments",
             1 << 10, 1 << 30);
  s.AddBytes("max-output", &f->proxy.max_output_bytes,
             "Replies waiting for one client; beyond, it is cut off", 1 << 16, 4ull << 30);
  s.AddBytes("max-output-total", &f->proxy.max_output_total_bytes,
             "Replies waiting for all clients; beyond, those with the most are cut off", 1 << 20,
             64ull << 30);
  s.AddBytes("max-queued", &f->proxy.max_queued_bytes, "Commands without a reply, per I/O thread",
             1 << 20, 4ull << 30);
  s.AddDuration("drain", &f->drain, "How long SIGTERM waits for commands in flight",
                milliseconds(0), milliseconds(600'000));
  process::AddLogSettings(s, &f->log);
}

absl::Status Run(int argc, char** argv) {
  Flags flags;
  config::Settings settings(kProgram, "The front door of ERaftKDB for Redis clients.",
                            process::kVersion);
  AddSettings(settings, &flags);
  KDB_ASSIGN_OR_RETURN(auto outcome, settings.Parse(argc, argv));
  if (outcome == config::Settings::Outcome::kExit) return absl::OkStatus();
  proxy::ProxyOptions& options = flags.proxy;
  if (options.meta_seeds.empty() && options.kv_seeds.empty()) {
    return absl::InvalidArgumentError("--meta or --kv is required: where the catalog comes from");
  }
  options.version = process::kVersion;
  if (!flags.log.instance.empty()) options.name = flags.log.instance;

  process::BlockSignals();
  obs::Logger logger = process::NewLogger(kProgram, flags.log);
  process::FitToDescriptors(*logger, process::kProxyDescriptors, "max-clients",
                            &options.max_clients);
  SystemClock clock;
  obs::Registry metrics;
  auto server = proxy::ProxyServer::Create(options, clock, Random(SystemSeed()), metrics, logger);
  KDB_RETURN_IF_ERROR(server->Start());
  auto ready = [&] {
    return server->ready() ? absl::OkStatus()
                           : absl::UnavailableError("no catalog is loaded yet, or draining");
  };
  auto live = [&] {
    return server->alive() ? absl::OkStatus()
                           : absl::UnavailableError("an I/O thread does not turn");
  };
  KDB_ASSIGN_OR_RETURN(
      auto http, obs::AdminHttp::Start(flags.admin_listen, metrics,
                                       {.live = live, .ready = ready, .started = absl::OkStatus}));
  logger->info("serves Redis clients on port {}, metrics on port {}", server->port(), http->port());
  process::WaitForSignal(*logger);
  if (!server->Drain(flags.drain)) {
    logger->warn("cut off what was in flight after {} ms", flags.drain.count());
  }
  server->Stop();
  return absl::OkStatus();
}

}  // namespace
}  // namespace kdb

int main(int argc, char** argv) {
  absl::Status status = kdb::Run(argc, argv);
  return status.ok() ? 0 : kdb::process::Fail(kdb::kProgram, status);
}

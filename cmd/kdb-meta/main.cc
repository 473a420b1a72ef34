// kdb-meta: one replica of the meta group, which keeps the catalog.

#include "cmd/disk/disk.h"
#include "cmd/process/process.h"
#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/config/addresses.h"
#include "pkg/meta/meta_server.h"
#include "pkg/rocks/rocks_engine.h"

namespace kdb {
namespace {

using std::chrono::milliseconds;

constexpr char kProgram[] = "kdb-meta";

struct Flags {
  meta::ServerOptions meta;
  rocks::Options rocks{.block_cache_bytes = 8 << 20, .memtable_bytes = 8 << 20};
  process::LogSettings log;
};

void AddSettings(config::Settings& s, Flags* f) {
  f->meta.listen.address = "127.0.0.1:8080";
  f->meta.admin_listen = "127.0.0.1:9080";
  f->meta.version = process::kVersion;
  f->meta.raft.wal.segment_bytes = 4 << 20;
  s.Add("data-dir", &f->meta.data_dir, "Directory of this replica's data (required)");
  process::AddPortSettings(s, &f->meta.listen);
  s.Add("admin-listen", &f->meta.admin_listen, "host:port of metrics and probes (HTTP)",
        config::IsListenAddress);
  s.AddDuration("tick", &f->meta.raft.tick, "Raft's unit of time", milliseconds(5),
                milliseconds(10'000));
  s.AddBytes("segment-size", &f->meta.raft.wal.segment_bytes, "Size of a segment of the raft log",
             1 << 20, 1 << 30);
  s.AddDuration("fsync-stall", &f->meta.raft.fsync_stall, "A sync this slow gives up leadership",
                milliseconds(50), milliseconds(60'000));
  process::AddLogSettings(s, &f->log);
}

absl::Status Run(int argc, char** argv) {
  Flags flags;
  config::Settings settings(kProgram, "One replica of ERaftKDB's catalog.", process::kVersion);
  AddSettings(settings, &flags);
  KDB_ASSIGN_OR_RETURN(auto outcome, settings.Parse(argc, argv));
  if (outcome == config::Settings::Outcome::kExit) return absl::OkStatus();
  if (flags.meta.data_dir.empty()) return absl::InvalidArgumentError("--data-dir is required");

  process::BlockSignals();
  obs::Logger logger = process::NewLogger(kProgram, flags.log);
  process::FitToDescriptors(*logger, process::kStorageDescriptors, "max-connections",
                            &flags.meta.listen.max_connections);
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<FileSystem> fs, process::OpenDisk(flags.meta.data_dir));
  SystemClock clock;
  obs::Registry metrics;
  meta::Environment env{
      .fs = *fs,
      .clock = clock,
      .metrics = metrics,
      .logger = logger,
      .open_engine =
          [&](const std::string& dir) { return rocks::OpenRocksEngine(*fs, dir, flags.rocks); },
      .on_fatal = [&](const absl::Status& s) { process::Die(*logger, s); },
      .seed = SystemSeed()};
  KDB_ASSIGN_OR_RETURN(auto server, meta::MetaServer::Start(flags.meta, env));
  logger->info("serves on {}, metrics on port {}", flags.meta.listen.address, server->admin_port());
  process::WaitForSignal(*logger);
  return absl::OkStatus();
}

}  // namespace
}  // namespace kdb

int main(int argc, char** argv) {
  absl::Status status = kdb::Run(argc, argv);
  return status.ok() ? 0 : kdb::process::Fail(kdb::kProgram, status);
}

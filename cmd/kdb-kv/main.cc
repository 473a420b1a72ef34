// kdb-kv: one replica of one shard group.

#include "cmd/disk/disk.h"
#include "cmd/process/process.h"
#include "pkg/base/status.h"
#include "pkg/config/addresses.h"
#include "pkg/rocks/rocks_engine.h"
#include "pkg/server/kv_server.h"

namespace kdb {
namespace {

using std::chrono::milliseconds;

constexpr char kProgram[] = "kdb-kv";

struct Flags {
  server::KvOptions kv{.listen = {.address = "127.0.0.1:8088"},
                       .admin_listen = "127.0.0.1:9088",
                       .meta_seeds = {},
                       .version = process::kVersion,
                       .member = {}};
  rocks::Options rocks;
  process::LogSettings log;
};

void AddSettings(config::Settings& s, Flags* f) {
  raftnode::Options& raft = f->kv.member.replica.raft;
  s.Add("data-dir", &f->kv.member.data_dir, "Directory of this replica's data (required)");
  process::AddPortSettings(s, &f->kv.listen);
  s.Add("admin-listen", &f->kv.admin_listen, "host:port of metrics and probes (HTTP)",
        config::IsListenAddress);
  s.Add("meta", &f->kv.meta_seeds, "host:port of meta servers, comma-separated",
        config::IsPeerAddress);
  s.Add("reader-threads", &f->kv.member.reader_threads, "Threads that execute reads", 1, 256);
  s.AddDuration("tick", &raft.tick, "Raft's unit of time", milliseconds(5), milliseconds(10'000));
  s.AddBytes("segment-size", &raft.wal.segment_bytes, "Size of a segment of the raft log", 1 << 20,
             1 << 30);
  s.AddBytes("log-cache", &raft.log_cache_bytes, "Newest log entries kept in memory", 1 << 20,
             4ull << 30);
  s.AddBytes("log-keep", &raft.log_keep_bytes, "Applied log kept for slow followers", 0,
             64ull << 30);
  s.AddBytes("log-hold", &raft.log_hold_bytes, "Log kept while others fetch snapshots, at most", 0,
             1ull << 40);
  s.AddBytes("snapshot-rate", &f->kv.member.snapshot_bytes_per_second,
             "Bytes a second of snapshots sent to other members; 0: no limit", 0, 1ull << 40);
  s.AddBytes("flush-log", &raft.flush_log_bytes, "Log written since the last flush that causes one",
             1 << 20, 4ull << 30);
  s.AddDuration("fsync-stall", &raft.fsync_stall, "A sync this slow gives up leadership",
                milliseconds(50), milliseconds(60'000));
  s.Add("disk-warn", &raft.disk.warn_percent, "Percent of the disk used that is warned of", 1, 100);
  s.Add("disk-full", &raft.disk.full_percent,
        "Percent of the disk used at which writes that grow data are refused", 1, 100);
  s.AddDuration("hash-check", &f->kv.member.replica.hash_check.every,
                "The replicas' states are compared so often; 0s: never", milliseconds(0),
                milliseconds(7 * 24 * 3600 * 1000));
  s.AddBytes("hash-check-rate", &f->kv.member.replica.hash_check.bytes_per_second,
             "Bytes a second of its state that a replica reads for that; 0: no limit", 0,
             1ull << 40);
  s.AddBytes("block-cache", &f->rocks.block_cache_bytes, "RocksDB block cache", 1 << 20,
             1ull << 40);
  s.AddBytes("memtable", &f->rocks.memtable_bytes, "RocksDB memtable", 1 << 20, 4ull << 30);
  s.AddBytes("record-cache", &f->kv.member.replica.shard.record_cache_bytes,
             "Records that writes read, kept beside RocksDB", 0, 1ull << 40);
  s.AddBytes("max-value", &f->kv.member.replica.shard.limits.max_value_bytes, "Largest value",
             1 << 10, 512 << 20);
  process::AddLogSettings(s, &f->log);
}

absl::Status Run(int argc, char** argv) {
  Flags flags;
  config::Settings settings(kProgram, "One replica of one ERaftKV shard group.", process::kVersion);
  AddSettings(settings, &flags);
  KDB_ASSIGN_OR_RETURN(auto outcome, settings.Parse(argc, argv));
  if (outcome == config::Settings::Outcome::kExit) return absl::OkStatus();
  if (flags.kv.member.data_dir.empty()) return absl::InvalidArgumentError("--data-dir is required");

  process::BlockSignals();
  obs::Logger logger = process::NewLogger(kProgram, flags.log);
  process::FitToDescriptors(*logger, process::kStorageDescriptors, "max-connections",
                            &flags.kv.listen.max_connections);
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<FileSystem> fs, process::OpenDisk(flags.kv.member.data_dir));
  SystemClock clock;
  auto open_engine = [&](const std::string& dir) {
    return rocks::OpenRocksEngine(*fs, dir, flags.rocks);
  };
  KDB_ASSIGN_OR_RETURN(auto server, server::KvServer::Start(
                                        flags.kv, *fs, clock, open_engine, logger,
                                        [&](const absl::Status& s) { process::Die(*logger, s); }));
  logger->info("serves on {}, metrics on port {}", flags.kv.listen.address, server->admin_port());
  process::WaitForSignal(*logger);
  return absl::OkStatus();
}

}  // namespace
}  // namespace kdb

int main(int argc, char** argv) {
  absl::Status status = kdb::Run(argc, argv);
  return status.ok() ? 0 : kdb::process::Fail(kdb::kProgram, status);
}

#include "pkg/proxy/local_info.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace kdb::proxy {
namespace {

struct Section {
  std::string_view name;  // lower case
  std::string (*text)(const ProxyContext& proxy);
};

int64_t UptimeSeconds(const ProxyContext& proxy) {
  return std::chrono::duration_cast<std::chrono::seconds>(proxy.clock.Monotonic() -
                                                          proxy.info.started)
      .count();
}

std::string ServerSection(const ProxyContext& proxy) {
  int64_t uptime = UptimeSeconds(proxy);
  return fmt::format(
      "# Server\r\nredis_version:{}\r\neraftkdb_version:{}\r\nredis_mode:standalone\r\n"
      "arch_bits:64\r\nprocess_id:{}\r\nrun_id:{}\r\ntcp_port:{}\r\nserver_time_usec:{}\r\n"
      "uptime_in_seconds:{}\r\nuptime_in_days:{}\r\n",
      kRedisVersion, proxy.info.version, getpid(), proxy.info.run_id, proxy.info.port,
      proxy.clock.WallMillis() * 1000, uptime, uptime / 86400);
}

std::string ClientsSection(const ProxyContext& proxy) {
  return fmt::format("# Clients\r\nconnected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:0\r\n",
                     proxy.info.connected.load(), proxy.info.max_clients.load());
}

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

std::string Human(size_t bytes) {
  constexpr std::string_view kUnits = "BKMGT";
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
  return unit == 0 ? fmt::format("{}B", bytes) : fmt::format("{:.2f}{}", size, kUnits[unit]);
}

std::string MemorySection(const ProxyContext&) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  size_t resident = ResidentBytes();
  size_t peak = static_cast<size_t>(usage.ru_maxrss) * 1024;
  return fmt::format(
      "# Memory\r\nused_memory:{0}\r\nused_memory_human:{1}\r\nused_memory_rss:{0}\r\n"
      "used_memory_rss_human:{1}\r\nused_memory_peak:{2}\r\nused_memory_peak_human:{3}\r\n"
      "maxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\n"
      "mem_fragmentation_ratio:1.00\r\n",
      resident, Human(resident), peak, Human(peak));
}

// What was acknowledged is on disk: there is nothing to load, save or rewrite.
std::string PersistenceSection(const ProxyContext&) {
  return "# Persistence\r\nloading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\n"
         "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\naof_enabled:1\r\n"
         "aof_rewrite_in_progress:0\r\naof_last_write_status:ok\r\n";
}

std::string StatsSection(const ProxyContext& proxy) {
  const ProxyInfo& info = proxy.info;
  return fmt::format(
      "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n"
      "total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nrejected_connections:{}\r\n",
      info.connections_received.load(), info.commands_processed.load(), info.input_bytes.load(),
      info.output_bytes.load(), info.connections_rejected.load());
}

std::string ReplicationSection(const ProxyContext&) {
  return "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n";
}

std::string CpuSection(const ProxyContext&) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return fmt::format("{}.{:06}", t.tv_sec, t.tv_usec); };
  return fmt::format("# CPU\r\nused_cpu_sys:{}\r\nused_cpu_user:{}\r\n", seconds(usage.ru_stime),
                     seconds(usage.ru_utime));
}

std::string ClusterSection(const ProxyContext&) { return "# Cluster\r\ncluster_enabled:0\r\n"; }

constexpr Section kSections[] = {
    {"server", ServerSection}, {"clients", ClientsSection},
    {"memory", MemorySection}, {"persistence", PersistenceSection},
    {"stats", StatsSection},   {"replication", ReplicationSection},
    {"cpu", CpuSection},       {"cluster", ClusterSection},
};

}  // namespace

bool InfoWants(const std::vector<std::string>& arguments, std::string_view section) {
  if (arguments.empty()) return true;
  return std::any_of(arguments.begin(), arguments.end(), [section](const std::string& argument) {
    return argument == section || argument == "default" || argument == "all" ||
           argument == "everything";
  });
}

std::string InfoSections(const ProxyContext& proxy, const std::vector<std::string>& arguments) {
  std::string text;
  for (const Section& section : kSections) {
    if (!InfoWants(arguments, section.name)) continue;
    if (!text.empty()) text.append("\r\n");
    text.append(section.text(proxy));
  }
  return text;
}

std::string MetaSection(const absl::StatusOr<metapb::QueryReply>& meta) {
  std::string text = "# Meta\r\n";
  if (!meta.ok()) {
    return text +
           fmt::format("meta_error:{}\r\n", std::string_view(meta.status().message().data(),
                                                             meta.status().message().size()));
  }
  for (const metapb::MetaServer& server : meta->servers()) {
    text.append(
        fmt::format("meta server:\r\nserver_id: {},server_address: {},status: {},Role: {}\r\n",
                    server.id() - 1, server.address(), server.running() ? "Running" : "Down",
                    !server.running() ? "Unknown"
                    : server.leader() ? "Leader"
                                      : "Follower"));
  }
  return text;
}

}  // namespace kdb::proxy

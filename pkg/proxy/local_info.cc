#include "pkg/proxy/local_info.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "pkg/resp/reply_reader.h"

namespace kdb::proxy {
namespace {

struct Facts {
  const ProxyContext& proxy;
  const CommandUsage& usage;
  const Traffic& rate;
};

struct Section {
  std::string_view name;  // lower case
  std::string (*text)(const Facts& facts);
  bool by_default = true;
};

int64_t UptimeSeconds(const ProxyContext& proxy) {
  return std::chrono::duration_cast<std::chrono::seconds>(proxy.clock.Monotonic() -
                                                          proxy.info.started)
      .count();
}

std::string OperatingSystem() {
  utsname name{};
  uname(&name);
  return fmt::format("{} {} {}", name.sysname, name.release, name.machine);
}

std::string ServerSection(const Facts& facts) {
  const ProxyContext& proxy = facts.proxy;
  int64_t uptime = UptimeSeconds(proxy);
  return fmt::format(
      "# Server\r\nredis_version:{}\r\neraftkdb_version:{}\r\nredis_mode:standalone\r\n"
      "os:{}\r\narch_bits:64\r\nmultiplexing_api:epoll\r\nprocess_id:{}\r\nrun_id:{}\r\ntcp_port:{}"
      "\r\nserver_time_usec:{}\r\n"
      "uptime_in_seconds:{}\r\nuptime_in_days:{}\r\n",
      kRedisVersion, proxy.info.version, OperatingSystem(), getpid(), proxy.info.run_id,
      proxy.info.port, proxy.clock.WallMillis() * 1000, uptime, uptime / 86400);
}

// No command blocks, and nothing is tracked. The largest buffers of present clients would take a
// look at each: CLIENT LIST does that.
std::string ClientsSection(const Facts& facts) {
  return fmt::format(
      "# Clients\r\nconnected_clients:{}\r\ncluster_connections:0\r\nmaxclients:{}\r\n"
      "blocked_clients:0\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n",
      facts.proxy.info.connected.load(), facts.proxy.info.max_clients.load());
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

size_t SystemBytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

std::string MemorySection(const Facts&) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  size_t resident = ResidentBytes();
  size_t peak = static_cast<size_t>(usage.ru_maxrss) * 1024;
  size_t system = SystemBytes();
  return fmt::format(
      "# Memory\r\nused_memory:{0}\r\nused_memory_human:{1}\r\nused_memory_rss:{0}\r\n"
      "used_memory_rss_human:{1}\r\nused_memory_peak:{2}\r\nused_memory_peak_human:{3}\r\n"
      "total_system_memory:{4}\r\ntotal_system_memory_human:{5}\r\nused_memory_lua:0\r\n"
      "used_memory_scripts:0\r\nnumber_of_cached_scripts:0\r\nmaxmemory:0\r\n"
      "maxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\nmem_fragmentation_ratio:1.00\r\n"
      "mem_fragmentation_bytes:0\r\nlazyfree_pending_objects:0\r\n",
      resident, Human(resident), peak, Human(peak), system, Human(system));
}

// What was acknowledged is on disk: there is nothing to load, save or rewrite; -1: never happened.
std::string PersistenceSection(const Facts&) {
  return "# Persistence\r\nloading:0\r\nasync_loading:0\r\nrdb_changes_since_last_save:0\r\n"
         "rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\nrdb_last_bgsave_time_sec:-1\r\n"
         "rdb_current_bgsave_time_sec:-1\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n"
         "aof_rewrite_scheduled:0\r\naof_last_rewrite_time_sec:-1\r\n"
         "aof_current_rewrite_time_sec:-1\r\naof_last_bgrewrite_status:ok\r\n"
         "aof_last_write_status:ok\r\nmodule_fork_in_progress:0\r\n";
}

// Nothing is evicted, published or forked. Expired keys are the groups' to count.
std::string StatsSection(const Facts& facts) {
  const ProxyInfo& info = facts.proxy.info;
  auto kilobytes = [](uint64_t bytes) { return static_cast<double>(bytes) / 1024; };
  return fmt::format(
      "# Stats\r\ntotal_connections_received:{}\r\ntotal_commands_processed:{}\r\n"
      "instantaneous_ops_per_sec:{}\r\ntotal_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\n"
      "instantaneous_input_kbps:{:.2f}\r\ninstantaneous_output_kbps:{:.2f}\r\n"
      "rejected_connections:{}\r\nsync_full:0\r\nsync_partial_ok:0\r\nsync_partial_err:0\r\n"
      "evicted_keys:0\r\nkeyspace_hits:{}\r\nkeyspace_misses:{}\r\npubsub_channels:0\r\n"
      "pubsub_patterns:0\r\nlatest_fork_usec:0\r\ntotal_error_replies:{}\r\n",
      info.connections_received.load(), info.commands_processed.load(), facts.rate.commands,
      info.input_bytes.load(), info.output_bytes.load(), kilobytes(facts.rate.received),
      kilobytes(facts.rate.sent), info.connections_rejected.load(), facts.usage.hits,
      facts.usage.misses, facts.usage.error_replies);
}

// Clients see one server that takes writes; its replicas are the groups' own.
std::string ReplicationSection(const Facts&) {
  return "# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
         "master_failover_state:no-failover\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n"
         "repl_backlog_active:0\r\n";
}

std::string CpuSection(const Facts&) {
  auto times = [](int who, std::string_view suffix) {
    rusage usage{};
    getrusage(who, &usage);
    return fmt::format("used_cpu_sys{0}:{1}.{2:06}\r\nused_cpu_user{0}:{3}.{4:06}\r\n", suffix,
                       usage.ru_stime.tv_sec, usage.ru_stime.tv_usec, usage.ru_utime.tv_sec,
                       usage.ru_utime.tv_usec);
  };
  return "# CPU\r\n" + times(RUSAGE_SELF, "") + times(RUSAGE_CHILDREN, "_children");
}

std::string ModulesSection(const Facts&) { return "# Modules\r\n"; }

double Micros(std::chrono::nanoseconds span) { return static_cast<double>(span.count()) / 1000; }

// The rows of CommandIndex that were used, each as `line` words it.
template <typename Line>
std::string EachCommand(std::string_view heading, const CommandUsage& usage, Line&& line) {
  static const CommandIndex kIndex;
  std::string text(heading);
  for (size_t i = 1; i < usage.commands.size(); ++i) {
    if (!usage.commands[i].used()) continue;
    text.append(line(kIndex.At(static_cast<uint8_t>(i))->name, usage.commands[i]));
  }
  return text;
}

std::string CommandstatsSection(const Facts& facts) {
  return EachCommand("# Commandstats\r\n", facts.usage, [](auto name, const CommandUse& use) {
    double micros = Micros(use.spent);
    return fmt::format(
        "cmdstat_{}:calls={},usec={:.0f},usec_per_call={:.2f},rejected_calls={},failed_calls={}"
        "\r\n",
        name, use.calls, micros, use.calls == 0 ? 0 : micros / static_cast<double>(use.calls),
        use.rejected, use.failed);
  });
}

std::string ErrorstatsSection(const Facts& facts) {
  std::string text = "# Errorstats\r\n";
  for (const auto& [code, count] : facts.usage.errors) {
    text.append(fmt::format("errorstat_{}:count={}\r\n", code, count));
  }
  return text;
}

std::string LatencystatsSection(const Facts& facts) {
  return EachCommand("# Latencystats\r\n", facts.usage, [](auto name, const CommandUse& use) {
    if (use.calls == 0) return std::string();
    auto percentile = [&use](double p) { return Micros(use.latency.Percentile(p)); };
    return fmt::format("latency_percentiles_usec_{}:p50={:.3f},p99={:.3f},p99.9={:.3f}\r\n", name,
                       percentile(0.5), percentile(0.99), percentile(0.999));
  });
}

std::string ClusterSection(const Facts&) { return "# Cluster\r\ncluster_enabled:0\r\n"; }

// Keyspace and Meta follow: they take questions to others.
constexpr Section kSections[] = {
    {"server", ServerSection},
    {"clients", ClientsSection},
    {"memory", MemorySection},
    {"persistence", PersistenceSection},
    {"stats", StatsSection},
    {"replication", ReplicationSection},
    {"cpu", CpuSection},
    {"modules", ModulesSection},
    {"commandstats", CommandstatsSection, false},
    {"errorstats", ErrorstatsSection},
    {"latencystats", LatencystatsSection, false},
    {"cluster", ClusterSection},
};

bool ByDefault(std::string_view name) {
  return std::all_of(std::begin(kSections), std::end(kSections),
                     [name](const Section& s) { return s.by_default || s.name != name; });
}

}  // namespace

bool InfoWants(const std::vector<std::string>& arguments, std::string_view section) {
  if (arguments.empty()) return ByDefault(section);
  return std::any_of(arguments.begin(), arguments.end(), [section](const std::string& argument) {
    return argument == section || argument == "all" || argument == "everything" ||
           (argument == "default" && ByDefault(section));
  });
}

std::string InfoSections(const ProxyContext& proxy, const UsageTotals& usage,
                         const std::vector<std::string>& arguments) {
  const CommandUsage used = usage.Get();
  const Traffic rate = usage.Rate(proxy.clock.Monotonic());
  const Facts facts{proxy, used, rate};
  std::string text;
  for (const Section& section : kSections) {
    if (!InfoWants(arguments, section.name)) continue;
    if (!text.empty()) text.append("\r\n");
    text.append(section.text(facts));
  }
  return text;
}

std::string KeyspaceSection(const std::vector<std::string>& replies) {
  std::string text = "# Keyspace\r\n";
  int64_t keys = 0, expires = 0;
  for (const std::string& bytes : replies) {
    auto reply = resp::ReadReply(bytes);
    if (!reply || reply->elements.size() != 2) {
      return text + fmt::format("keyspace_error:{}\r\n",
                                std::string_view(bytes).substr(1, bytes.find('\r') - 1));
    }
    keys += reply->elements[0].integer;
    expires += reply->elements[1].integer;
  }
  if (keys == 0) return text;
  return text + fmt::format("db0:keys={},expires={},avg_ttl=0\r\n", keys, expires);
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

#include "pkg/proxy/local_info.h"

#include <gmock/gmock.h>

#include <cstdio>

#include "absl/strings/str_split.h"
#include "pkg/proxy/local_fixture.h"

namespace kdb::proxy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LocalInfoTest : public LocalCommandTest {
 protected:
  // Names of the sections in INFO's reply.
  std::vector<std::string> Sections(const std::vector<std::string_view>& args) {
    std::vector<std::string> names;
    for (absl::string_view line : absl::StrSplit(Run(args), "\r\n")) {
      if (line.substr(0, 2) == "# ") names.emplace_back(line.substr(2));
    }
    return names;
  }
  static std::string Bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  // A client's command had this reply.
  void Use(std::string_view command, std::string_view reply, int micros = 10) {
    UsageCounter counter(index_);
    counter.Note(index_.Of(redis::FindByFullName(command)), std::chrono::microseconds(micros),
                 reply);
    usage_.Add(counter.Take(), {.commands = 1}, clock_.now);
  }

  const CommandIndex index_;
};

TEST_F(LocalInfoTest, ShowsAllSectionsButThoseOfEachCommandByDefault) {
  auto most = ElementsAre("Server", "Clients", "Memory", "Persistence", "Stats", "Replication",
                          "CPU", "Modules", "Errorstats", "Cluster", "Keyspace", "Meta");
  EXPECT_THAT(Sections({"info"}), most);
  EXPECT_THAT(Sections({"info", "default"}), most);
  auto all = ElementsAre("Server", "Clients", "Memory", "Persistence", "Stats", "Replication",
                         "CPU", "Modules", "Commandstats", "Errorstats", "Latencystats", "Cluster",
                         "Keyspace", "Meta");
  EXPECT_THAT(Sections({"info", "ALL"}), all);
  EXPECT_THAT(Sections({"info", "everything"}), all);
}

// What exporters and dashboards read: a field that goes away is a change for them.
constexpr char kFields[] = R"(
# Server
redis_version eraftkdb_version redis_mode os arch_bits multiplexing_api process_id run_id tcp_port server_time_usec uptime_in_seconds uptime_in_days
# Clients
connected_clients cluster_connections maxclients blocked_clients tracking_clients clients_in_timeout_table
# Memory
used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak used_memory_peak_human total_system_memory total_system_memory_human used_memory_lua used_memory_scripts number_of_cached_scripts maxmemory maxmemory_human maxmemory_policy mem_fragmentation_ratio mem_fragmentation_bytes lazyfree_pending_objects
# Persistence
loading async_loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status aof_last_write_status module_fork_in_progress
# Stats
total_connections_received total_commands_processed instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes instantaneous_input_kbps instantaneous_output_kbps rejected_connections sync_full sync_partial_ok sync_partial_err evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns latest_fork_usec total_error_replies
# Replication
role connected_slaves master_failover_state master_repl_offset second_repl_offset repl_backlog_active
# CPU
used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children
# Modules

# Commandstats
cmdstat_client|list cmdstat_get
# Errorstats
errorstat_ERR
# Latencystats
latency_percentiles_usec_client|list latency_percentiles_usec_get
# Cluster
cluster_enabled
# Keyspace
db0
# Meta


)";

TEST_F(LocalInfoTest, Fields) {
  Use("get", "$1\r\nx\r\n");
  Use("client|list", "-ERR no\r\n");
  std::string fields = "\n";
  bool first = true;
  for (absl::string_view line : absl::StrSplit(Run({"info", "all"}), "\r\n")) {
    if (line.substr(0, 2) == "# ") {
      fields.append(std::string(line) + "\n");
      first = true;
    } else if (line.empty()) {
      fields.append("\n");
    } else if (line[0] != '$') {
      fields.append(first ? "" : " ").append(std::string(line.substr(0, line.find(':'))));
      first = false;
    }
  }
  // The reply ends with two line ends of its own.
  EXPECT_EQ(fields, std::string(kFields));
}

TEST_F(LocalInfoTest, TellsOfEachCommandAndError) {
  Use("get", "$1\r\nx\r\n", 100);
  Use("get", "$-1\r\n", 300);
  Use("set", "-WRONGTYPE Operation\r\n", 50);
  Use("set", "-TIMEOUT no leader\r\n", 10'000'000);
  Use("set", "-ERR wrong number of arguments for 'set' command\r\n", 1);
  EXPECT_EQ(Run({"info", "commandstats"}),
            Bulk("# Commandstats\r\n"
                 "cmdstat_get:calls=2,usec=400,usec_per_call=200.00,rejected_calls=0,failed_calls=0"
                 "\r\ncmdstat_set:calls=1,usec=50,usec_per_call=50.00,rejected_calls=2,"
                 "failed_calls=1\r\n"));
  EXPECT_EQ(Run({"info", "errorstats"}),
            Bulk("# Errorstats\r\nerrorstat_ERR:count=1\r\nerrorstat_TIMEOUT:count=1\r\n"
                 "errorstat_WRONGTYPE:count=1\r\n"));
  std::string stats = Run({"info", "stats"});
  EXPECT_THAT(stats, HasSubstr("keyspace_hits:1\r\nkeyspace_misses:1\r\n"));
  EXPECT_THAT(stats, HasSubstr("total_error_replies:3\r\n"));
}

TEST_F(LocalInfoTest, LatenciesAreWithinASixteenth) {
  for (int i = 1; i <= 1000; ++i) Use("get", "$-1\r\n", i);
  std::string text = Run({"info", "latencystats"});
  double p50 = 0, p99 = 0, p999 = 0;
  ASSERT_EQ(std::sscanf(text.c_str() + text.find(":p50="), ":p50=%lf,p99=%lf,p99.9=%lf", &p50, &p99,
                        &p999),
            3)
      << text;
  EXPECT_THAT(p50, testing::AllOf(testing::Ge(500), testing::Le(500 * 17.0 / 16)));
  EXPECT_THAT(p99, testing::AllOf(testing::Ge(990), testing::Le(990 * 17.0 / 16)));
  EXPECT_THAT(p999, testing::AllOf(testing::Ge(999), testing::Le(999 * 17.0 / 16)));
}

TEST_F(LocalInfoTest, ResetstatForgetsWhatRedisForgets) {
  Use("get", "$-1\r\n");
  Use("set", "-ERR no\r\n");
  info_.connections_rejected = 3;
  EXPECT_EQ(Run({"config", "resetstat"}), "+OK\r\n");
  EXPECT_EQ(Run({"info", "commandstats"}), Bulk("# Commandstats\r\n"));
  EXPECT_EQ(Run({"info", "errorstats"}), Bulk("# Errorstats\r\n"));
  EXPECT_EQ(Run({"info", "latencystats"}), Bulk("# Latencystats\r\n"));
  std::string stats = Run({"info", "stats"});
  EXPECT_THAT(stats, HasSubstr("rejected_connections:0\r\n"));
  EXPECT_THAT(stats, HasSubstr("keyspace_hits:0\r\nkeyspace_misses:0\r\n"));
  EXPECT_THAT(stats, HasSubstr("total_error_replies:0\r\n"));
  EXPECT_THAT(stats, HasSubstr("instantaneous_ops_per_sec:0\r\n"));
}

TEST_F(LocalInfoTest, CountsKeysOfAllGroups) {
  EXPECT_EQ(Run({"info", "keyspace"}), Bulk("# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\n"));
  shard_replies_ = {"*2\r\n:0\r\n:0\r\n"};
  EXPECT_EQ(Run({"info", "keyspace"}), Bulk("# Keyspace\r\n"));
  shard_replies_ = {"*2\r\n:3\r\n:0\r\n", "-TIMEOUT no leader\r\n"};
  EXPECT_EQ(Run({"info", "keyspace"}), Bulk("# Keyspace\r\nkeyspace_error:TIMEOUT no leader\r\n"));
}

TEST_F(LocalInfoTest, ShowsTheSectionsAskedFor) {
  EXPECT_THAT(Sections({"info", "Stats", "server"}), ElementsAre("Server", "Stats"));
  EXPECT_EQ(Run({"info", "bogus"}), "$0\r\n\r\n");
}

TEST_F(LocalInfoTest, DoesNotAskMetaWhenNobodyWantsItsSection) {
  catalog_.hold = true;
  EXPECT_THAT(Run({"info", "clients"}), HasSubstr("connected_clients:0\r\n"));
  EXPECT_FALSE(catalog_.held);
}

TEST_F(LocalInfoTest, EveryLineIsAFieldOrAHeading) {
  for (absl::string_view line : absl::StrSplit(
           InfoSections({info_, open_, catalog_, clock_, clients_}, usage_, {"all"}), "\r\n")) {
    EXPECT_TRUE(line.empty() || line.substr(0, 2) == "# " || line.find(':') != line.npos) << line;
  }
}

TEST_F(LocalInfoTest, CountsWhatTheProxyCounts) {
  info_.connections_received = 3;
  info_.commands_processed = 4;
  info_.connected = 2;
  clock_.now += std::chrono::hours(50);
  std::string text = Run({"info"});
  EXPECT_THAT(text, HasSubstr("total_connections_received:3\r\ntotal_commands_processed:4\r\n"));
  EXPECT_THAT(text,
              HasSubstr("connected_clients:2\r\ncluster_connections:0\r\nmaxclients:10000\r\n"));
  EXPECT_THAT(text, HasSubstr("uptime_in_seconds:180000\r\nuptime_in_days:2\r\n"));
  EXPECT_THAT(text, HasSubstr("loading:0\r\n"));
}

TEST_F(LocalInfoTest, MetaServersAreShownAsTheDemoDoes) {
  for (uint64_t id : {1, 2, 3}) {
    metapb::MetaServer* server = catalog_.reply->add_servers();
    server->set_id(id);
    server->set_address("host:" + std::to_string(id));
    server->set_running(id != 3);
    server->set_leader(id == 1);
  }
  EXPECT_EQ(MetaSection(catalog_.reply),
            "# Meta\r\n"
            "meta server:\r\nserver_id: 0,server_address: host:1,status: Running,Role: Leader\r\n"
            "meta server:\r\nserver_id: 1,server_address: host:2,status: Running,Role: Follower\r\n"
            "meta server:\r\nserver_id: 2,server_address: host:3,status: Down,Role: Unknown\r\n");
}

TEST_F(LocalInfoTest, SaysWhyMetaIsMissing) {
  catalog_.reply = absl::UnavailableError("nobody there");
  std::string text = Run({"info"});
  EXPECT_THAT(text, HasSubstr("# Meta\r\nmeta_error:nobody there\r\n"));
  EXPECT_THAT(text, HasSubstr("# Server\r\n"));
}

}  // namespace
}  // namespace kdb::proxy

#include "pkg/proxy/local_info.h"

#include <gmock/gmock.h>

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
};

TEST_F(LocalInfoTest, ShowsAllSectionsByDefault) {
  auto all = ElementsAre("Server", "Clients", "Memory", "Persistence", "Stats", "Replication",
                         "CPU", "Cluster", "Meta");
  EXPECT_THAT(Sections({"info"}), all);
  for (std::string_view word : {"default", "ALL", "everything"}) {
    EXPECT_THAT(Sections({"info", word}), all) << word;
  }
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
  for (absl::string_view line :
       absl::StrSplit(InfoSections({info_, open_, catalog_, clock_, clients_}, {}), "\r\n")) {
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
  EXPECT_THAT(text, HasSubstr("connected_clients:2\r\nmaxclients:10000\r\n"));
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

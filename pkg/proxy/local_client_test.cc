#include <gmock/gmock.h>

#include "pkg/proxy/local_fixture.h"

namespace kdb::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kBadName[] =
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";

class LocalClientTest : public LocalCommandTest {};

TEST_F(LocalClientTest, NamesAreSetAndTakenBack) {
  EXPECT_EQ(Run({"client", "getname"}), "$-1\r\n");
  EXPECT_EQ(Run({"client", "setname", "me"}), "+OK\r\n");
  EXPECT_EQ(Run({"client", "getname"}), "$2\r\nme\r\n");
  for (std::string_view bad : {"a b", "a\n", "\x7f", "\xff"}) {
    EXPECT_EQ(Run({"client", "setname", bad}), kBadName);
  }
  EXPECT_EQ(client_.name, "me");
  Run({"client", "setname", ""});
  client_.version = resp::Version::kResp3;
  EXPECT_EQ(Run({"client", "getname"}), "_\r\n");
}

TEST_F(LocalClientTest, LibrariesIntroduceThemselves) {
  EXPECT_EQ(Run({"client", "setinfo", "LIB-NAME", "redis-py"}), "+OK\r\n");
  EXPECT_EQ(Run({"client", "setinfo", "lib-ver", "5"}), "+OK\r\n");
  EXPECT_THAT(Run({"client", "info"}), HasSubstr(" lib-name=redis-py lib-ver=5\n"));
  EXPECT_EQ(Run({"client", "setinfo", "Lib-Name", "a b"}),
            "-ERR Lib-Name cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(Run({"client", "setinfo", "lib", "a"}), "-ERR Unrecognized option 'lib'\r\n");
  EXPECT_EQ(client_.lib_name, "redis-py");
}

TEST_F(LocalClientTest, InfoDescribesThisConnection) {
  client_.name = "me";
  client_.fd = 5;
  client_.last_command = "client|info";
  clock_.now += std::chrono::seconds(9);
  client_.last_command_at = clock_.now - std::chrono::seconds(2);
  std::string reply = Run({"client", "info"});
  EXPECT_THAT(reply, HasSubstr("id=7 addr=10.0.0.1:5000 laddr=10.0.0.2:6379 fd=5 name=me age=9 "
                               "idle=2 flags=N db=0 "));
  EXPECT_THAT(reply, HasSubstr(" cmd=client|info user=default redir=-1 resp=2 "));
  client_.version = resp::Version::kResp3;
  EXPECT_THAT(Run({"client", "info"}), HasSubstr("\r\ntxt:id=7 "));
}

TEST_F(LocalClientTest, SwitchesShowInTheFlags) {
  EXPECT_EQ(Run({"client", "no-evict", "ON"}), "+OK\r\n");
  EXPECT_THAT(Run({"client", "info"}), HasSubstr(" flags=e "));
  EXPECT_EQ(Run({"client", "no-touch", "on"}), "+OK\r\n");
  EXPECT_THAT(Run({"client", "info"}), HasSubstr(" flags=eT "));
  EXPECT_EQ(Run({"client", "no-evict", "off"}), "+OK\r\n");
  EXPECT_EQ(Run({"client", "no-touch", "off"}), "+OK\r\n");
  EXPECT_THAT(Run({"client", "info"}), HasSubstr(" flags=N "));
  EXPECT_EQ(Run({"client", "no-evict", "maybe"}), "-ERR syntax error\r\n");
}

TEST_F(LocalClientTest, ListFiltersByTypeAndId) {
  for (uint64_t id : {3, 4, 5}) {
    clients_.clients.push_back(client_);
    clients_.clients.back().id = id;
  }
  EXPECT_THAT(Run({"client", "list"}), HasSubstr("\nid=5 "));
  EXPECT_THAT(Run({"client", "list", "type", "NORMAL"}), HasSubstr("\nid=4 "));
  EXPECT_EQ(Run({"client", "list", "type", "pubsub"}), "$0\r\n\r\n");
  std::string some = Run({"client", "list", "id", "4", "9"});
  EXPECT_THAT(some, HasSubstr("\r\nid=4 "));
  EXPECT_THAT(some, Not(HasSubstr("id=3 ")));
  EXPECT_EQ(Run({"client", "list", "type", "bogus"}), "-ERR Unknown client type 'bogus'\r\n");
  EXPECT_EQ(Run({"client", "list", "id", "x"}), "-ERR Invalid client ID\r\n");
  EXPECT_EQ(Run({"client", "list", "id"}), "-ERR syntax error\r\n");
}

TEST_F(LocalClientTest, ReplyModesAreRemembered) {
  EXPECT_EQ(Run({"client", "reply", "ON"}), "+OK\r\n");
  EXPECT_EQ(Run({"client", "reply", "bogus"}), "-ERR syntax error\r\n");
  Run({"client", "reply", "skip"});
  EXPECT_EQ(client_.reply_mode, ReplyMode::kSkipNext);
  Run({"client", "reply", "off"});
  EXPECT_EQ(client_.reply_mode, ReplyMode::kOff);
  Run({"client", "reply", "skip"});
  EXPECT_EQ(client_.reply_mode, ReplyMode::kOff) << "SKIP is no way out of OFF";
}

TEST_F(LocalClientTest, IdIsTheConnections) { EXPECT_EQ(Run({"client", "id"}), ":7\r\n"); }

}  // namespace
}  // namespace kdb::proxy

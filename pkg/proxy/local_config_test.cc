#include "pkg/proxy/local_fixture.h"

namespace kdb::proxy {
namespace {

class LocalConfigTest : public LocalCommandTest {};

TEST_F(LocalConfigTest, GetTakesGlobsOfAnyCase) {
  EXPECT_EQ(Run({"config", "get", "MAXCLIENTS"}), "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n");
  EXPECT_EQ(Run({"config", "get", "proto*", "p?rt", "port"}),
            "*4\r\n$4\r\nport\r\n$4\r\n6379\r\n$18\r\nproto-max-bulk-len\r\n$8\r\n16777216\r\n");
  EXPECT_EQ(Run({"config", "get", "bogus"}), "*0\r\n");
  client_.version = resp::Version::kResp3;
  EXPECT_EQ(Run({"config", "get", "databases"}), "%1\r\n$9\r\ndatabases\r\n$1\r\n1\r\n");
}

TEST_F(LocalConfigTest, SetChangesMaxClients) {
  EXPECT_EQ(Run({"config", "set", "MaxClients", "50"}), "+OK\r\n");
  EXPECT_EQ(info_.max_clients.load(), 50u);
}

TEST_F(LocalConfigTest, SetRefusesInRedissWords) {
  const std::string failed = "-ERR CONFIG SET failed (possibly related to argument ";
  EXPECT_EQ(Run({"config", "set", "MaxClients", "x"}),
            failed + "'maxclients') - argument couldn't be parsed into an integer\r\n");
  EXPECT_EQ(Run({"config", "set", "maxclients", "0"}),
            failed + "'maxclients') - argument must be between 1 and 4294967295 inclusive\r\n");
  EXPECT_EQ(Run({"config", "set", "databases", "2"}),
            failed + "'databases') - can't set immutable config\r\n");
  EXPECT_EQ(Run({"config", "set", "maxclients", "1", "MAXCLIENTS", "2"}),
            failed + "'MAXCLIENTS') - duplicate parameter\r\n");
  EXPECT_EQ(Run({"config", "set", "bogus", "1"}),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'bogus'\r\n");
  EXPECT_EQ(Run({"config", "set", "maxclients", "1", "x"}), "-ERR syntax error\r\n");
  EXPECT_EQ(info_.max_clients.load(), 10000u);
}

TEST_F(LocalConfigTest, SetChecksEveryNameBeforeItChangesAnything) {
  Run({"config", "set", "maxclients", "50", "bogus", "1"});
  EXPECT_EQ(info_.max_clients.load(), 10000u);
}

TEST_F(LocalConfigTest, ResetStatSetsCountersToZero) {
  info_.commands_processed = info_.input_bytes = info_.connections_rejected = 5;
  EXPECT_EQ(Run({"config", "resetstat"}), "+OK\r\n");
  EXPECT_EQ(info_.commands_processed + info_.input_bytes + info_.connections_rejected, 0u);
}

}  // namespace
}  // namespace kdb::proxy

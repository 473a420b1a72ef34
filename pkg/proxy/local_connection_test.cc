#include <fstream>

#include "pkg/proxy/local_fixture.h"
#include "pkg/testing/temporary_directory.h"

namespace kdb::proxy {
namespace {

constexpr char kWrongPass[] = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

class LocalConnectionTest : public LocalCommandTest {
 protected:
  // From now on clients need one of these.
  void Require(std::string_view lines) {
    std::ofstream(path_) << lines;
    ASSERT_TRUE(required_.Reload().ok());
    passwords_ = &required_;
    client_.authenticated = false;
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_ / "passwords";
  Passwords required_{path_, obs::NullLogger()};
};

TEST_F(LocalConnectionTest, PingAndEchoAnswer) {
  EXPECT_EQ(Run({"ping"}), "+PONG\r\n");
  EXPECT_EQ(Run({"PING", "hi"}), "$2\r\nhi\r\n");
  EXPECT_EQ(Run({"ping", "a", "b"}), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(Run({"echo", std::string_view("\0\r\n", 3)}), std::string_view("$3\r\n\0\r\n\r\n", 9));
}

TEST_F(LocalConnectionTest, QuitClosesAfterItsReply) {
  EXPECT_EQ(Run({"quit"}), "+OK\r\n");
  EXPECT_TRUE(closed_);
}

TEST_F(LocalConnectionTest, OnlyDatabaseZeroIsThere) {
  EXPECT_EQ(Run({"select", "0"}), "+OK\r\n");
  EXPECT_EQ(Run({"select", "1"}), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(Run({"select", "x"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(Run({"select", "2147483648"}),
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
}

TEST_F(LocalConnectionTest, ResetTakesBackWhatTheClientSet) {
  Run({"hello", "3", "setname", "me"});
  Run({"client", "no-evict", "on"});
  Run({"client", "no-touch", "on"});
  Run({"client", "reply", "off"});
  EXPECT_EQ(Run({"reset"}), "+RESET\r\n");
  EXPECT_EQ(client_.version, resp::Version::kResp2);
  EXPECT_EQ(client_.name, "");
  EXPECT_EQ(client_.reply_mode, ReplyMode::kOn);
  EXPECT_FALSE(client_.no_evict || client_.no_touch);
  EXPECT_TRUE(client_.authenticated);
}

TEST_F(LocalConnectionTest, HelloAnswersInTheVersionItChose) {
  EXPECT_TRUE(Run({"hello", "3"}).starts_with("%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n"));
  EXPECT_EQ(client_.version, resp::Version::kResp3);
  EXPECT_TRUE(Run({"hello"}).starts_with("%7\r\n"));
  EXPECT_TRUE(Run({"hello", "2"}).starts_with("*14\r\n"));
  EXPECT_EQ(client_.version, resp::Version::kResp2);
}

TEST_F(LocalConnectionTest, HelloRefusesOtherVersions) {
  EXPECT_EQ(Run({"hello", "4"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(Run({"hello", "x"}), "-ERR Protocol version is not an integer or out of range\r\n");
  EXPECT_EQ(client_.version, resp::Version::kResp2);
}

TEST_F(LocalConnectionTest, HellosOptionsTakeEffectOneByOne) {
  EXPECT_EQ(Run({"hello", "3", std::string("a\0b", 3)}),
            "-ERR Syntax error in HELLO option 'a'\r\n");
  EXPECT_EQ(Run({"hello", "3", "setname", "a", "bogus"}),
            "-ERR Syntax error in HELLO option 'bogus'\r\n");
  EXPECT_EQ(client_.name, "a");
  EXPECT_EQ(client_.version, resp::Version::kResp2);
  EXPECT_EQ(Run({"hello", "3", "auth", "nobody", "x", "bogus"}), kWrongPass);
}

TEST_F(LocalConnectionTest, AuthNeedsAPasswordToBeSet) {
  EXPECT_TRUE(Run({"auth", "x"}).starts_with("-ERR AUTH <password> called without any password"));
  EXPECT_EQ(Run({"auth", "default", "x"}), "+OK\r\n");
  EXPECT_EQ(Run({"auth", "nobody", "x"}), kWrongPass);
  EXPECT_EQ(Run({"auth", "a", "b", "c"}), "-ERR syntax error\r\n");
}

TEST_F(LocalConnectionTest, TwoPasswordsAreValidAtOnce) {
  Require("one\ntwo\n");
  EXPECT_EQ(Run({"auth", "three"}), kWrongPass);
  EXPECT_FALSE(client_.authenticated);
  EXPECT_EQ(Run({"auth", "one"}), "+OK\r\n");
  EXPECT_TRUE(client_.authenticated);
  EXPECT_EQ(Run({"auth", "default", "two"}), "+OK\r\n");
  EXPECT_EQ(Run({"auth", "nobody", "one"}), kWrongPass);
  EXPECT_TRUE(client_.authenticated) << "a failed AUTH takes nothing away";
  Run({"reset"});
  EXPECT_FALSE(client_.authenticated);
}

TEST_F(LocalConnectionTest, HelloMayAuthenticate) {
  Require("one\n");
  EXPECT_TRUE(Run({"hello", "3"}).starts_with("-NOAUTH HELLO must be called"));
  EXPECT_EQ(client_.version, resp::Version::kResp2);
  EXPECT_EQ(Run({"hello", "3", "auth", "default", "two"}), kWrongPass);
  EXPECT_TRUE(Run({"hello", "3", "auth", "default", "one"}).starts_with("%7\r\n"));
  EXPECT_TRUE(client_.authenticated);
}

}  // namespace
}  // namespace kdb::proxy

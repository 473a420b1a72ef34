#include "pkg/rpc/server.h"

#include <gtest/gtest.h>

#include "pkg/net/fixture_test.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::rpc {
namespace {

using net::RawSocket;

class ServerTest : public ::testing::Test {
 protected:
  void Start(const ServerOptions& options) {
    auto server =
        Server::Start(options, {loop_, clock_, metrics_, obs::NullLogger()}, {&admin_}, {});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  double Refused(const std::string& reason) {
    return metrics_.AddCounter("kdb_server_connections_refused_total", "", {{"reason", reason}})
        .Value();
  }

  SystemClock clock_;
  obs::Registry metrics_;
  net::Loop loop_{"server"};
  shardpb::Admin::Service admin_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ClosesWhoDoesNotFinishItsGreeting) {
  Start({.address = "127.0.0.1:0", .preface_timeout = std::chrono::milliseconds(100)});
  // Begins like: nothing; the frame protocol; HTTP/2, which is gRPC's to judge.
  for (const char* greeting : {"", "KDB", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    SCOPED_TRACE(greeting);
    RawSocket peer;
    peer.Connect(server_->port());
    peer.Send(greeting);
    peer.Read();  // to its end
  }
  EXPECT_EQ(Refused("silent"), 2);
}

TEST_F(ServerTest, KeepsNoMoreThanItMay) {
  Start({.address = "127.0.0.1:0", .max_connections = 2});
  std::vector<RawSocket> calls(2);
  for (RawSocket& call : calls) {
    call.Connect(server_->port());
    call.Send("PRI");
    EXPECT_EQ(call.Read(1).size(), 1u);  // gRPC has it: its settings come at once
  }
  RawSocket refused;
  refused.Connect(server_->port());
  EXPECT_EQ(refused.Read(), "");
  EXPECT_EQ(Refused("too_many"), 1);
}

}  // namespace
}  // namespace kdb::rpc

// A whole proxy over real sockets, with one shard group and a catalog made by the test.
#include "pkg/proxy/proxy_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <asio.hpp>
#include <fstream>
#include <map>
#include <string>

#include "pkg/net/connection.h"
#include "pkg/resp/reply_writer.h"
#include "pkg/rpc/channel.h"
#include "pkg/rpc/server.h"
#include "pkg/testing/temporary_directory.h"
#include "pkg/wire/batch.h"
#include "proto/kv.grpc.pb.h"
#include "proto/shard.grpc.pb.h"

namespace kdb::proxy {
namespace {

using std::chrono::milliseconds;

// Strings in a map; a batch is executed as it comes, and one that writes "stall" never is. Serves
// its catalog like a kv server whose meta is down.
class TinyShard final : public shardpb::Admin::Service {
 public:
  TinyShard() {
    auto open = [this](auto connection) {
      return std::make_unique<Stream>(*this, std::move(connection));
    };
    server_ = *rpc::Server::Start({.address = "127.0.0.1:0"},
                                  {loop_, clock_, metrics_, obs::NullLogger()}, {this},
                                  {{net::Service::kCommands, open}});
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  // Empty: none.
  std::string Value(const std::string& key) {
    MutexLock lock(mu_);
    auto it = data_.find(key);
    return it == data_.end() ? "" : it->second;
  }

  grpc::Status Query(grpc::ServerContext*, const shardpb::QueryRequest*,
                     shardpb::QueryReply* reply) override {
    catalog::Catalog& catalog = *reply->mutable_catalog();
    catalog.set_cluster_id("c");
    catalog.set_version(1);
    catalog::Group& group = *catalog.add_groups();
    group.set_gid(1);
    group.add_members()->set_address(address());
    catalog::SlotRange& range = *catalog.add_slots();
    range.set_last(1023);
    range.set_gid(1);
    range.set_epoch(1);
    return grpc::Status::OK;
  }

 private:
  class Stream final : public net::Handler {
   public:
    Stream(TinyShard& shard, std::shared_ptr<net::Connection> connection)
        : shard_(shard), connection_(std::move(connection)) {}

    absl::Status OnFrame(std::string_view body) override {
      shardpb::CommandsRequest request;
      shardpb::CommandsReply reply;
      if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return absl::InvalidArgumentError("malformed");
      }
      if (request.has_hello()) {
        return request.hello().cluster_id() == "c" ? absl::OkStatus()
                                                   : absl::FailedPreconditionError("not c");
      }
      if (request.has_open_session()) {
        reply.mutable_session_opened()->set_request_id(request.open_session().request_id());
        reply.mutable_session_opened()->set_session(1000 + ++shard_.sessions_);
      } else if (request.has_read_batch()) {
        reply.set_read_reply(
            shard_.Execute(request.read_batch().batch(), request.read_batch().id()));
      } else if (request.kind_case() == shardpb::CommandsRequest::kWriteBatch) {
        if (request.write_batch().find("stall") != std::string::npos) return absl::OkStatus();
        reply.set_write_reply(shard_.Execute(request.write_batch(), 0));
      } else {
        return absl::OkStatus();
      }
      connection_->Send(net::ToFrame(reply));
      return absl::OkStatus();
    }
    void OnClosed(const absl::Status&) override {}

   private:
    TinyShard& shard_;
    const std::shared_ptr<net::Connection> connection_;
  };

  std::string Execute(const std::string& bytes, uint64_t id) {
    wire::Batch batch = *wire::DecodeBatch(bytes);
    wire::BatchReplyBuilder builder;
    builder.Start(batch.header.session, id == 0 ? batch.header.seq : id, 1);
    MutexLock lock(mu_);
    for (const wire::Op& op : batch.ops) {
      std::string out = Run(op.commands.front());
      wire::Result result;
      result.reply = out;
      builder.AddResult(result);
    }
    return builder.Finish();
  }
  std::string Run(const wire::CommandArgs& args) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::string out;
    resp::ReplyWriter reply(resp::Version::kResp2, out);
    if (args[0] == "set" || args[0] == "SET") {
      data_[std::string(args[1])] = args[2];
      reply.Ok();
    } else if (auto it = data_.find(std::string(args[1])); it != data_.end()) {
      reply.Bulk(it->second);
    } else {
      reply.Null();
    }
    return out;
  }

  Mutex mu_;
  std::map<std::string, std::string> data_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> sessions_ = 0;
  SystemClock clock_;
  obs::Registry metrics_;
  net::Loop loop_{"tiny"};
  std::unique_ptr<rpc::Server> server_;
};

class Client {
 public:
  explicit Client(int port, int receive_buffer = 0) : socket_(io_) {
    socket_.open(asio::ip::tcp::v4());
    if (receive_buffer > 0) {
      socket_.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
    }
    socket_.connect({asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }
  void Send(const std::string& bytes) { asio::write(socket_, asio::buffer(bytes)); }
  // Exactly `n` bytes, fewer at the end of the stream.
  std::string Read(size_t n) {
    std::string bytes(n, '\0');
    asio::error_code error;
    bytes.resize(asio::read(socket_, asio::buffer(bytes), error));
    return bytes;
  }
  std::string ReadBulk() {
    std::string length;
    while (!length.ends_with("\r\n")) length += Read(1);
    return Read(std::stoul(length.substr(1)) + 2);
  }
  void SendWhatItTakes(const std::string& bytes) {
    asio::error_code ignored;
    asio::write(socket_, asio::buffer(bytes), ignored);
  }
  // Up to an orderly end of the stream.
  std::string ReadAll() {
    std::string bytes;
    asio::error_code error;
    asio::read(socket_, asio::dynamic_buffer(bytes), error);
    EXPECT_EQ(error, asio::error::eof) << error.message();
    socket_.shutdown(asio::ip::tcp::socket::shutdown_both, error);  // whoever sends gives up
    return bytes;
  }
  std::string Ask(const std::string& line, const std::string& expected) {
    Send(line + "\r\n");
    return Read(expected.size());
  }
  void CloseSending() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }

 private:
  asio::io_context io_;
  asio::ip::tcp::socket socket_;
};

class ProxyServerTest : public ::testing::Test {
 protected:
  void Start() {
    options_.listen = {"127.0.0.1:0"};
    options_.kv_listen = "127.0.0.1:0";
    options_.kv_seeds = {shard_.address()};
    server_ = ProxyServer::Create(options_, clock_, Random(1), metrics_, obs::NullLogger());
    ASSERT_TRUE(server_->Start().ok());
  }
  void Expect(Client& client, const std::string& line, const std::string& reply) {
    EXPECT_EQ(client.Ask(line, reply), reply) << line;
  }

  TinyShard shard_;
  SystemClock clock_;
  obs::Registry metrics_;
  ProxyOptions options_;
  std::unique_ptr<ProxyServer> server_;
};

TEST_F(ProxyServerTest, AnswersPipelinesInOrder) {
  Start();
  Client client(server_->port());
  client.Send("SET a 1\r\nPING\r\nGET a\r\nNOSUCH\r\nGET b\r\nECHO x\r\n");
  std::string expected =
      "+OK\r\n+PONG\r\n$1\r\n1\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
      "$-1\r\n$1\r\nx\r\n";
  EXPECT_EQ(client.Read(expected.size()), expected);
  EXPECT_TRUE(server_->ready());
}

TEST_F(ProxyServerTest, ManyCommandsAndLargeValuesSurviveSmallReads) {
  Start();
  Client client(server_->port());
  std::string value(3 << 20, 'v');
  client.Send("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$" + std::to_string(value.size()) + "\r\n" + value +
              "\r\n");
  EXPECT_EQ(client.Read(5), "+OK\r\n");
  std::string gets, expected;
  for (int i = 0; i < 20000; ++i) gets += "*2\r\n$3\r\nGET\r\n$1\r\nn\r\n", expected += "$-1\r\n";
  client.Send(gets + "*2\r\n$3\r\nGET\r\n$3\r\nbig\r\n");
  expected += "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  EXPECT_EQ(client.Read(expected.size()), expected);
}

TEST_F(ProxyServerTest, RepliesThatWaitForAnOlderOneCountAsOutput) {
  options_.max_output_bytes = 1 << 20;
  options_.deadline = std::chrono::hours(1);
  Start();
  Client client(server_->port());
  std::string text(100 << 10, 'e');
  client.Send("SET stall 1\r\n");
  for (int i = 0; i < 11; ++i) {
    client.Send("*2\r\n$4\r\nECHO\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n");
  }
  EXPECT_EQ(client.Read(1), "");  // cut off
}

TEST_F(ProxyServerTest, WhereAllTogetherHaveTooMuchWhoHasMostIsCutOff) {
  options_.io_threads = 1;
  options_.max_output_total_bytes = 2 << 20;
  options_.deadline = std::chrono::hours(1);
  Start();
  Client modest(server_->port()), greedy(server_->port());
  std::string text(100 << 10, 'e');
  std::string echo = "*2\r\n$4\r\nECHO\r\n$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  modest.Send("SET stall 1\r\n");
  for (int i = 0; i < 9; ++i) modest.Send(echo);
  greedy.Send("SET stall 1\r\n");
  for (int i = 0; i < 30; ++i) greedy.SendWhatItTakes(echo);
  EXPECT_EQ(greedy.Read(1), "");
  Client other(server_->port());
  other.Send("INFO clients\r\n");
  EXPECT_THAT(other.ReadBulk(), ::testing::HasSubstr("connected_clients:2\r\n"));
}

TEST_F(ProxyServerTest, AProtocolErrorIsAnsweredAndCloses) {
  Start();
  Client client(server_->port());
  client.Send("PING\r\n*1\r\n$x\r\nPING\r\n");
  std::string expected = "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n";
  EXPECT_EQ(client.Read(expected.size() + 1), expected);
}

TEST_F(ProxyServerTest, AnswersWhatWasSentBeforeTheClientClosedItsSide) {
  Start();
  Client client(server_->port());
  client.Send("SET a 1\r\nGET a\r\n");
  client.CloseSending();
  EXPECT_EQ(client.Read(100), "+OK\r\n$1\r\n1\r\n");
}

TEST_F(ProxyServerTest, QuitClosesAfterItsReply) {
  Start();
  Client client(server_->port());
  client.Send("GET a\r\nQUIT\r\nPING\r\n");
  EXPECT_EQ(client.Read(100), "$-1\r\n+OK\r\n");
}

TEST_F(ProxyServerTest, RefusesMoreThanMaxClients) {
  options_.max_clients = 1;
  Start();
  Client first(server_->port());
  Expect(first, "PING", "+PONG\r\n");
  Client second(server_->port());
  EXPECT_EQ(second.Read(100), "-ERR max number of clients reached\r\n");
  Expect(first, "PING", "+PONG\r\n");
}

TEST_F(ProxyServerTest, RefusesAnArgumentLargerThanItsRequest) {
  options_.meta_seeds = {"127.0.0.1:1"};
  options_.max_request_bytes = options_.max_bulk_bytes - 1;
  obs::Registry metrics;
  SystemClock clock;
  auto server = ProxyServer::Create(options_, clock, Random(1), metrics, obs::NullLogger());
  absl::Status status = server->Start();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_NE(status.message().find("max-bulk"), absl::string_view::npos) << status;
}

TEST_F(ProxyServerTest, AsksForThePassword) {
  testing::TemporaryDirectory directory;
  options_.password_file = directory / "passwords";
  std::ofstream(options_.password_file) << "one\ntwo\n";
  Start();
  Client client(server_->port());
  Expect(client, "GET a", "-NOAUTH Authentication required.\r\n");
  Expect(client, "AUTH three",
         "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
  Expect(client, "AUTH two", "+OK\r\n");
  Expect(client, "GET a", "$-1\r\n");
  Client other(server_->port());
  Expect(other, "HELLO 3 AUTH default one", "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
}

TEST_F(ProxyServerTest, DrainFinishesAndCloses) {
  Start();
  Client idle(server_->port()), busy(server_->port());
  Expect(idle, "PING", "+PONG\r\n");
  Expect(busy, "SET a 1", "+OK\r\n");
  EXPECT_TRUE(server_->Drain(milliseconds(10000)));
  EXPECT_FALSE(server_->ready());
  EXPECT_EQ(idle.Read(1), "");
  EXPECT_EQ(busy.Read(1), "");
  server_->Stop();
}

// The client reads nothing until its connection has ended, and has sent more than the proxy read.
TEST_F(ProxyServerTest, DrainLosesNoReplyOfACommandThatWasExecuted) {
  Start();
  Client client(server_->port(), /*receive_buffer=*/4096);
  std::string commands;
  for (int i = 1; i <= 200'000; ++i) {
    commands += "SET k " + std::to_string(i) + "\r\nGET " + std::string(100, 'x') + "\r\n";
  }
  std::thread sender([&] { client.SendWhatItTakes(commands); });
  while (shard_.Value("k").empty()) {
  }
  std::thread drain([&] { EXPECT_TRUE(server_->Drain(milliseconds(60'000))); });
  while (server_->ready()) {
  }
  std::string replies = client.ReadAll();
  sender.join();
  drain.join();
  EXPECT_EQ(std::count(replies.begin(), replies.end(), '+'), std::stoi(shard_.Value("k")));
}

TEST_F(ProxyServerTest, StopEndsWhatHangs) {
  options_.kv_seeds = {"127.0.0.1:1"};  // no catalog will ever come
  options_.listen = {"127.0.0.1:0"};
  options_.kv_listen = "127.0.0.1:0";
  server_ = ProxyServer::Create(options_, clock_, Random(1), metrics_, obs::NullLogger());
  ASSERT_TRUE(server_->Start().ok());
  Client client(server_->port());
  client.Send("GET a\r\nPING\r\n");
  auto stub = kv::v1::KV::NewStub(
      rpc::NewChannel("127.0.0.1:" + std::to_string(server_->kv_port()), "test"));
  grpc::ClientContext context;
  kv::v1::GetRequest request;
  request.set_key("a");
  kv::v1::GetResponse response;
  std::thread call([&] { EXPECT_FALSE(stub->Get(&context, request, &response).ok()); });
  Client other(server_->port());
  Expect(other, "PING", "+PONG\r\n");
  server_->Stop();
  call.join();
  EXPECT_EQ(client.Read(1), "");
}

TEST_F(ProxyServerTest, ServesTheKvApiOnTheSameKeys) {
  Start();
  Client client(server_->port());
  Expect(client, "SET a 1", "+OK\r\n");
  auto stub = kv::v1::KV::NewStub(
      rpc::NewChannel("127.0.0.1:" + std::to_string(server_->kv_port()), "test"));
  {
    grpc::ClientContext context;
    kv::v1::GetRequest request;
    request.set_key("a");
    kv::v1::GetResponse response;
    ASSERT_TRUE(stub->Get(&context, request, &response).ok());
    EXPECT_TRUE(response.found());
    EXPECT_EQ(response.value(), "1");
  }
  grpc::ClientContext context;
  kv::v1::PutRequest request;
  kv::v1::PutResponse response;
  EXPECT_EQ(stub->Put(&context, request, &response).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ProxyServerTest, AnAddressInUseIsNamed) {
  Start();
  ProxyOptions second = options_;
  second.listen = {"127.0.0.1:" + std::to_string(server_->port())};
  obs::Registry metrics;
  auto other = ProxyServer::Create(second, clock_, Random(2), metrics, obs::NullLogger());
  absl::Status status = other->Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(status.message()).find(second.listen[0]), std::string::npos);
}

}  // namespace
}  // namespace kdb::proxy

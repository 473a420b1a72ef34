// The KV API of a whole proxy over sockets, with gRPC's own client and with clients that speak
// nothing of the kind. No shard ever answers: what is asked of one stays under way.
#include "pkg/proxy/kv_server.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <asio.hpp>
#include <fstream>
#include <string>
#include <thread>

#include "pkg/proxy/kv_service.h"
#include "pkg/proxy/proxy_server.h"
#include "pkg/testing/temporary_directory.h"
#include "proto/kv.grpc.pb.h"

namespace kdb::proxy {
namespace {

using std::chrono::milliseconds;

class KvServerTest : public ::testing::Test {
 protected:
  void Start() {
    options_.listen = {"127.0.0.1:0"};
    options_.kv_listen = "127.0.0.1:0";
    options_.kv_seeds = {"127.0.0.1:1"};
    server_ = ProxyServer::Create(options_, clock_, Random(1), metrics_, obs::NullLogger());
    ASSERT_TRUE(server_->Start().ok());
    address_ = "127.0.0.1:" + std::to_string(server_->kv_port());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channel_ = grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), arguments);
    stub_ = kv::v1::KV::NewStub(channel_);
  }
  grpc::Status Put(const std::string& key, const std::string& value,
                   const std::string& password = "", milliseconds timeout = milliseconds(60000)) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    if (!password.empty()) context.AddMetadata("kdb-password", password);
    kv::v1::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    kv::v1::PutResponse response;
    return stub_->Put(&context, request, &response);
  }
  asio::ip::tcp::socket Connect() {
    asio::ip::tcp::socket socket(io_);
    socket.connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(server_->kv_port())});
    return socket;
  }
  // All that comes until the proxy closes.
  static std::string ReadAll(asio::ip::tcp::socket& socket) {
    std::string bytes;
    asio::error_code end;
    asio::read(socket, asio::dynamic_buffer(bytes), end);
    return bytes;
  }

  asio::io_context io_;
  SystemClock clock_;
  obs::Registry metrics_;
  ProxyOptions options_;
  std::unique_ptr<ProxyServer> server_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;  // shared with the stub: gRPC's interface
  std::unique_ptr<kv::v1::KV::Stub> stub_;
};

TEST_F(KvServerTest, RefusesWhatIsNoRequest) {
  options_.max_bulk_bytes = 1 << 20;
  Start();
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Put(std::string(kMaxKeyBytes + 1, 'k'), "v").error_message(), "the key is over 64 KiB");
  EXPECT_EQ(Put("k", std::string((1 << 20) + 1, 'v')).error_message(),
            "the value is over 1048576 bytes");
  EXPECT_EQ(Put("k", std::string(2 << 20, 'v')).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(KvServerTest, AsksForThePassword) {
  testing::TemporaryDirectory directory;
  options_.password_file = directory / "passwords";
  std::ofstream(options_.password_file) << "one\ntwo\n";
  Start();
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Put("", "v", "three").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Put("", "v", "two").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(KvServerTest, ACallEndsAtItsDeadline) {
  Start();
  EXPECT_EQ(Put("k", "v", "", milliseconds(50)).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(KvServerTest, ClosesWhatDoesNotSpeakHttp2) {
  Start();
  asio::ip::tcp::socket redis = Connect();
  asio::write(redis, asio::buffer(std::string("*1\r\n$4\r\nPING\r\n, and more than a preface")));
  ReadAll(redis);
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(KvServerTest, ConnectionsCountForMaxClients) {
  options_.max_clients = 1;
  Start();
  ASSERT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  asio::ip::tcp::socket second = Connect();
  EXPECT_EQ(ReadAll(second), "");
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(KvServerTest, DrainClosesIdleConnections) {
  Start();
  ASSERT_EQ(Put("", "v").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(server_->Drain(milliseconds(60000)));
  EXPECT_EQ(Put("", "v").error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(KvServerTest, StopEndsCallsUnderWay) {
  options_.deadline = milliseconds(600000);
  Start();
  std::thread call([&] { EXPECT_EQ(Put("k", "v").error_code(), grpc::StatusCode::UNAVAILABLE); });
  while (channel_->GetState(true) != GRPC_CHANNEL_READY) std::this_thread::yield();
  server_->Stop();
  call.join();
}

TEST_F(KvServerTest, AnAddressInUseIsNamed) {
  Start();
  ProxyOptions second = options_;
  second.kv_listen = address_;
  obs::Registry metrics;
  auto other = ProxyServer::Create(second, clock_, Random(2), metrics, obs::NullLogger());
  absl::Status status = other->Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(address_), std::string::npos);
}

}  // namespace
}  // namespace kdb::proxy

#include "pkg/obs/admin_http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace kdb::obs {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Get(int port, const std::string& path) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  std::string request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string reply;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) reply.append(buffer, n);
  close(fd);
  return reply;
}

TEST(AdminHttpTest, ServesMetricsAndProbes) {
  Registry registry;
  registry.AddCounter("kdb_test_total", "A test").Increment(3);
  auto server =
      AdminHttp::Start("127.0.0.1:0", registry,
                       {.live = [] { return absl::OkStatus(); },
                        .ready = [] { return absl::UnavailableError("no leader is known"); },
                        .started = [] { return absl::OkStatus(); }});
  ASSERT_TRUE(server.ok()) << server.status();
  int port = (*server)->port();
  EXPECT_THAT(Get(port, "/metrics"), HasSubstr("kdb_test_total 3"));
  EXPECT_THAT(Get(port, "/livez"), StartsWith("HTTP/1.1 200"));
  std::string ready = Get(port, "/readyz");
  EXPECT_THAT(ready, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(ready, HasSubstr("no leader is known"));
  EXPECT_THAT(Get(port, "/startupz"), HasSubstr("ok"));
  EXPECT_THAT(Get(port, "/other"), StartsWith("HTTP/1.1 404"));
}

TEST(AdminHttpTest, SaysWhichAddressIsTaken) {
  Registry registry;
  Probes probes{.live = absl::OkStatus, .ready = absl::OkStatus, .started = absl::OkStatus};
  auto first = AdminHttp::Start("127.0.0.1:0", registry, probes);
  ASSERT_TRUE(first.ok());
  std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  auto second = AdminHttp::Start(address, registry, probes);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
}

TEST(AdminHttpTest, WithoutAHostItServesOnAllAddresses) {
  Registry registry;
  Probes probes{.live = absl::OkStatus, .ready = absl::OkStatus, .started = absl::OkStatus};
  auto server = AdminHttp::Start(":0", registry, probes);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT(Get((*server)->port(), "/livez"), StartsWith("HTTP/1.1 200"));
}

TEST(AdminHttpTest, RefusesWhatItCannotServeOn) {
  Registry registry;
  Probes probes{.live = absl::OkStatus, .ready = absl::OkStatus, .started = absl::OkStatus};
  EXPECT_TRUE(absl::IsInvalidArgument(AdminHttp::Start("9079", registry, probes).status()));
  auto v6 = AdminHttp::Start("[::1]:0", registry, probes);
  if (v6.ok()) return;  // this civetweb has IPv6
  EXPECT_TRUE(absl::IsInvalidArgument(v6.status())) << v6.status();
  EXPECT_THAT(std::string(v6.status().message()), HasSubstr("no IPv6"));
}

}  // namespace
}  // namespace kdb::obs

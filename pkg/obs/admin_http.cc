#include "pkg/obs/admin_http.h"

#include <civetweb.h>
#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <future>
#include <utility>

#include "pkg/base/host_port.h"
#include "pkg/base/status.h"

namespace kdb::obs {
namespace {

int Answer(mg_connection* connection, int code, const std::string& type, const std::string& body) {
  std::string head = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      code == 200 ? "200 OK" : "503 Service Unavailable", type, body.size());
  mg_write(connection, head.data(), head.size());
  mg_write(connection, body.data(), body.size());
  return code;
}

int AnswerProbe(mg_connection* connection, void* data) {
  absl::Status status = (*static_cast<std::function<absl::Status()>*>(data))();
  return status.ok() ? Answer(connection, 200, "text/plain", "ok\n")
                     : Answer(connection, 503, "text/plain", std::string(status.message()) + "\n");
}

int AnswerMetrics(mg_connection* connection, void* data) {
  auto families = static_cast<Registry*>(data)->prometheus()->Collect();
  return Answer(connection, 200, "text/plain; version=0.0.4; charset=utf-8",
                prometheus::TextSerializer().Serialize(families));
}

class CivetAdminHttp final : public AdminHttp {
 public:
  CivetAdminHttp(mg_context* context, std::string host, Registry& registry, Probes probes)
      : context_(context), host_(std::move(host)), probes_(std::move(probes)) {
    mg_set_request_handler(context_, "/metrics$", AnswerMetrics, &registry);
    mg_set_request_handler(context_, "/livez$", AnswerProbe, &probes_.live);
    mg_set_request_handler(context_, "/readyz$", AnswerProbe, &probes_.ready);
    mg_set_request_handler(context_, "/startupz$", AnswerProbe, &probes_.started);
  }
  // CivetWeb sees that it is to stop when a client comes, else only every 2 s.
  ~CivetAdminHttp() override {
    const int listens = port();
    std::future<void> stopped = std::async(std::launch::async, [this] { mg_stop(context_); });
    while (stopped.wait_for(kKnockEvery) != std::future_status::ready) Knock(listens);
  }

  int port() const override {
    mg_server_port port{};
    mg_get_server_ports(context_, 1, &port);
    return port.port;
  }

 private:
  static constexpr std::chrono::milliseconds kKnockEvery{5};

  void Knock(int port) const {
    char error[64];
    mg_connection* client = mg_connect_client(host_.c_str(), port, 0, error, sizeof(error));
    if (client != nullptr) mg_close_connection(client);
  }

  mg_context* context_;
  const std::string host_;
  Probes probes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AdminHttp>> AdminHttp::Start(const std::string& address,
                                                            Registry& registry, Probes probes) {
  KDB_ASSIGN_OR_RETURN(HostPort where, ParseAddress(address));
  if (where.host.find(':') != std::string::npos && mg_check_feature(MG_FEATURES_IPV6) == 0) {
    return absl::InvalidArgumentError(fmt::format(
        "cannot serve metrics on {}: this build's HTTP library has no IPv6; give an IPv4 address",
        address));
  }
  // Of all addresses it wants to hear the port alone.
  const std::string& port = where.host.empty() ? where.port : address;
  if (where.host.empty()) where.host = "127.0.0.1";
  const char* options[] = {"listening_ports",    port.c_str(), "num_threads", "2",
                           "request_timeout_ms", "5000",       nullptr};
  mg_callbacks callbacks{};
  // Silent: the caller reports the one failure that matters.
  callbacks.log_message = [](const mg_connection*, const char*) { return 1; };
  mg_context* context = mg_start(&callbacks, nullptr, options);
  if (context == nullptr) {
    return absl::UnavailableError(fmt::format(
        "cannot serve metrics on {}: is the port in use, or the address not of this host?",
        address));
  }
  return std::make_unique<CivetAdminHttp>(context, std::move(where.host), registry,
                                          std::move(probes));
}

}  // namespace kdb::obs

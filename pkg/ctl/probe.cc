#include "pkg/ctl/probe.h"

#include <arpa/inet.h>
#include <civetweb.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace kdb::ctl {

absl::Status ProbeHttp(const std::string& address, const std::string& path) {
  size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  int port = std::atoi(address.c_str() + colon + 1);
  char error[128] = "";
  mg_connection* connection =
      mg_download(host.c_str(), port, 0, error, sizeof(error),
                  "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path.c_str(), host.c_str());
  if (connection == nullptr) return absl::UnavailableError(fmt::format("{}: {}", address, error));
  int code = mg_get_response_info(connection)->status_code;
  char body[256];
  int n = mg_read(connection, body, sizeof(body));
  mg_close_connection(connection);
  if (code == 200) return absl::OkStatus();
  std::string text(body, n > 0 ? n : 0);
  return absl::UnavailableError(fmt::format("{}: {}", address, text.substr(0, text.find('\n'))));
}

absl::Status ProbePortFree(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int result = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  int why = errno;
  close(fd);
  if (result == 0) return absl::OkStatus();
  return absl::AlreadyExistsError(
      fmt::format("port {}: {}", port, std::system_category().message(why)));
}

}  // namespace kdb::ctl

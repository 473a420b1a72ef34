#include "e2e/faults/client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "pkg/base/status.h"
#include "pkg/resp/reply_reader.h"

namespace kdb::e2e {
namespace {

absl::Status Broken(const char* call) {
  return absl::UnavailableError(fmt::format("{}: {}", call, std::system_category().message(errno)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(uint16_t port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Broken("socket");
  std::unique_ptr<Client> client(new Client(fd));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return Broken("connect");
  }
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return client;
}

Client::~Client() { close(fd_); }

absl::Status Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Broken("send");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::StatusOr<Reply> Client::Receive(std::chrono::milliseconds timeout) {
  auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    std::string_view unread = std::string_view(in_).substr(used_);
    std::optional<size_t> length = resp::ReplyLength(unread);
    if (!length.has_value()) return absl::InternalError(fmt::format("no reply: {}", unread));
    if (*length == 0) {
      KDB_RETURN_IF_ERROR(Fill(deadline));
      continue;
    }
    std::optional<resp::Reply> reply = resp::ReadReply(unread.substr(0, *length));
    if (!reply.has_value()) return absl::InternalError(fmt::format("no reply: {}", unread));
    used_ += *length;
    switch (reply->type) {
      case resp::Reply::Type::kNull:
        return Reply{Reply::Type::kNil, ""};
      case resp::Reply::Type::kError:
        return Reply{Reply::Type::kError, std::string(reply->text)};
      case resp::Reply::Type::kInteger:
        return Reply{Reply::Type::kValue, std::to_string(reply->integer)};
      default:
        return Reply{Reply::Type::kValue, std::string(reply->text)};
    }
  }
}

absl::Status Client::Fill(std::chrono::steady_clock::time_point deadline) {
  in_.erase(0, used_);
  used_ = 0;
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  int polled = poll(&ready, 1, std::max<int>(0, static_cast<int>(left.count())));
  if (polled == 0) return absl::DeadlineExceededError("no reply in time");
  char buffer[64 << 10];
  ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
  if (n == 0) return absl::UnavailableError("closed by the server");
  if (n < 0 && errno == EINTR) return absl::OkStatus();
  if (n < 0) return Broken("recv");
  in_.append(buffer, static_cast<size_t>(n));
  return absl::OkStatus();
}

void EncodeCommand(const std::vector<std::string_view>& args, std::string* out) {
  fmt::format_to(std::back_inserter(*out), "*{}\r\n", args.size());
  for (std::string_view arg : args) {
    fmt::format_to(std::back_inserter(*out), "${}\r\n{}\r\n", arg.size(), arg);
  }
}

}  // namespace kdb::e2e

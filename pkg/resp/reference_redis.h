// Redis's own server, which tests compare with. Only tests include this.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "pkg/base/check.h"
#include "pkg/resp/reply_reader.h"

namespace kdb::resp {

// A connection to a server's Unix socket. Any trouble, and an answer that takes 30 s, ends the
// test.
class ReferenceConnection {
 public:
  explicit ReferenceConnection(const std::string& socket_path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    KDB_CHECK(fd_ >= 0 && socket_path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
    KDB_CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0,
              "connect to {}: {}", socket_path, std::system_category().message(errno));
  }
  ~ReferenceConnection() { close(fd_); }
  ReferenceConnection(const ReferenceConnection&) = delete;
  ReferenceConnection& operator=(const ReferenceConnection&) = delete;

  // MSG_NOSIGNAL: the server may have closed already, after a protocol error.
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  // The bytes of the next reply; what is left before the server closed the connection, when it did.
  std::string ReadReply() {
    for (;;) {
      const std::optional<size_t> length = ReplyLength(buffer_);
      KDB_CHECK(length.has_value(), "malformed reply: {}", buffer_);
      if (*length > 0 || !Fill()) {
        std::string reply = buffer_.substr(0, *length > 0 ? *length : buffer_.size());
        buffer_.erase(0, reply.size());
        return reply;
      }
    }
  }

  std::string Command(std::string_view request) {
    Send(request);
    return ReadReply();
  }
  // Sends all, then reads the reply of each.
  std::vector<std::string> Pipeline(const std::vector<std::vector<std::string>>& commands) {
    std::string requests;
    for (const auto& args : commands) {
      requests += "*" + std::to_string(args.size()) + "\r\n";
      for (const std::string& arg : args) {
        requests += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
      }
    }
    Send(requests);
    std::vector<std::string> replies;
    while (replies.size() < commands.size()) replies.push_back(ReadReply());
    return replies;
  }

 private:
  bool Fill() {
    pollfd readable{fd_, POLLIN, 0};
    KDB_CHECK(poll(&readable, 1, 30'000) == 1, "redis-server does not answer");
    char chunk[64 << 10];
    const ssize_t n = read(fd_, chunk, sizeof(chunk));
    if (n > 0) buffer_.append(chunk, static_cast<size_t>(n));
    return n > 0;
  }

  const int fd_;
  std::string buffer_;
};

// A redis-server without persistence, otherwise with default settings but for `options`, on a Unix
// socket in a directory of its own.
class ReferenceRedis {
 public:
  explicit ReferenceRedis(const std::vector<std::string>& options = {}) {
    std::string directory = std::filesystem::temp_directory_path() / "kdb-redis-XXXXXX";
    KDB_CHECK(mkdtemp(directory.data()) != nullptr, "mkdtemp: {}",
              std::system_category().message(errno));
    directory_ = directory;
    int log[2];
    KDB_CHECK(pipe2(log, O_CLOEXEC) == 0);
    pid_ = fork();
    KDB_CHECK(pid_ >= 0);
    if (pid_ == 0) RunServer(options, log[1]);
    close(log[1]);
    log_ = log[0];
    AwaitReady();
  }
  ~ReferenceRedis() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(log_);
    std::filesystem::remove_all(directory_);
  }
  ReferenceRedis(const ReferenceRedis&) = delete;
  ReferenceRedis& operator=(const ReferenceRedis&) = delete;

  std::string socket_path() const { return directory_ / "socket"; }

 private:
  [[noreturn]] void RunServer(const std::vector<std::string>& options, int log) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDOUT_FILENO);
    std::vector<std::string> words = {"redis-server",
                                      "--port",
                                      "0",
                                      "--unixsocket",
                                      socket_path(),
                                      "--dir",
                                      directory_.string(),
                                      "--save",
                                      "",
                                      "--appendonly",
                                      "no",
                                      "--enable-debug-command",
                                      "yes"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }

  // The server says in its log when it listens.
  void AwaitReady() {
    std::string seen;
    while (seen.find("ready to accept connections") == seen.npos) {
      char chunk[4096];
      const ssize_t n = read(log_, chunk, sizeof(chunk));
      KDB_CHECK(n > 0, "redis-server did not start; is the package redis-server installed?\n{}",
                seen);
      seen.append(chunk, static_cast<size_t>(n));
    }
  }

  std::filesystem::path directory_;
  pid_t pid_ = -1;
  int log_ = -1;
};

}  // namespace kdb::resp

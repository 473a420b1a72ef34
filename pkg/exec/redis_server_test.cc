#include "pkg/exec/redis_server.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "pkg/base/check.h"
#include "pkg/resp/reply_reader.h"

namespace kdb::exec {
namespace {

constexpr char kReady[] = "eady to accept connections";

[[noreturn]] void ExecRedis(const std::vector<std::string>& options, int output) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(output, STDOUT_FILENO);
  std::vector<char*> argv = {const_cast<char*>("redis-server")};
  for (const std::string& option : options) argv.push_back(const_cast<char*>(option.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  std::perror("redis-server: is the Debian package redis-server installed?");
  _exit(127);
}

std::string Encode(const std::vector<std::string>& command) {
  std::string out = "*" + std::to_string(command.size()) + "\r\n";
  for (const std::string& arg : command) {
    out += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  return out;
}

}  // namespace

RedisServer::RedisServer(const std::vector<std::string>& options) {
  dir_ = testing::TempDir() + "/redis.XXXXXX";
  KDB_CHECK(mkdtemp(dir_.data()) != nullptr, "{}: {}", dir_, std::system_category().message(errno));
  socket_path_ = dir_ + "/socket";
  Start(options);
  Connect();
}

void RedisServer::Start(const std::vector<std::string>& options) {
  std::vector<std::string> all = {"--port", "0", "--unixsocket", socket_path_, "--dir",       dir_,
                                  "--save", "",  "--appendonly", "no",         "--daemonize", "no"};
  all.insert(all.end(), options.begin(), options.end());
  int output[2];
  KDB_CHECK(pipe(output) == 0);
  pid_ = fork();
  KDB_CHECK(pid_ >= 0);
  if (pid_ == 0) ExecRedis(all, output[1]);
  close(output[1]);
  std::string log;
  while (log.find(kReady) == std::string::npos) {
    char buffer[4096];
    ssize_t n = read(output[0], buffer, sizeof(buffer));
    KDB_CHECK(n > 0, "redis-server did not start: {}", log);
    log.append(buffer, n);
  }
  close(output[0]);
}

void RedisServer::Connect() {
  fd_ = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KDB_CHECK(socket_path_.size() < sizeof(address.sun_path), "{}", socket_path_);
  std::memcpy(address.sun_path, socket_path_.c_str(), socket_path_.size() + 1);
  KDB_CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "{}",
            std::system_category().message(errno));
}

RedisServer::~RedisServer() {
  if (fd_ >= 0) close(fd_);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  unlink(socket_path_.c_str());
  rmdir(dir_.c_str());
}

std::vector<std::string> RedisServer::Run(const std::vector<std::vector<std::string>>& commands) {
  std::string out;
  for (const auto& command : commands) out += Encode(command);
  for (size_t sent = 0; sent < out.size();) {
    ssize_t n = write(fd_, out.data() + sent, out.size() - sent);
    KDB_CHECK(n > 0, "{}", std::system_category().message(errno));
    sent += n;
  }
  std::vector<std::string> replies;
  size_t at = 0;
  while (replies.size() < commands.size()) {
    auto length = resp::ReplyLength(std::string_view(unread_).substr(at));
    KDB_CHECK(length.has_value(), "redis-server sent a malformed reply");
    if (*length > 0) {
      replies.push_back(unread_.substr(at, *length));
      at += *length;
      continue;
    }
    char buffer[64 << 10];
    ssize_t n = read(fd_, buffer, sizeof(buffer));
    KDB_CHECK(n > 0, "redis-server closed the connection");
    unread_.append(buffer, n);
  }
  unread_.erase(0, at);
  return replies;
}

}  // namespace kdb::exec

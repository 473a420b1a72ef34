// For tests: a redis-server process of the test's own, and a connection to it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace kdb::exec {

// Listens on a Unix socket in its own temporary directory; ends with this object or with the test's
// process.
class RedisServer {
 public:
  // Aborts with a message when redis-server is not installed or does not start.
  explicit RedisServer(const std::vector<std::string>& options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Sends all commands, then reads their encoded replies.
  std::vector<std::string> Run(const std::vector<std::vector<std::string>>& commands);

 private:
  void Start(const std::vector<std::string>& options);
  void Connect();

  std::string dir_;
  std::string socket_path_;
  pid_t pid_ = -1;
  int fd_ = -1;
  std::string unread_;
};

}  // namespace kdb::exec

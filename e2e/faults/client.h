// A blocking connection to a Redis port, for the load of the fault tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kdb::e2e {

// One reply: what the commands of the load can answer.
struct Reply {
  enum class Type { kValue, kNil, kError };
  Type type = Type::kNil;
  std::string text;  // simple strings, bulks, integers, errors without '-'
};

// Not thread-safe. After an error of any call the connection is of no use any more.
class Client {
 public:
  // At 127.0.0.1. UNAVAILABLE: refused.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(uint16_t port);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // UNAVAILABLE: the connection broke.
  absl::Status Send(std::string_view bytes);
  // The next reply. UNAVAILABLE: the connection broke. DEADLINE_EXCEEDED: none came. INTERNAL: it
  // is no reply.
  absl::StatusOr<Reply> Receive(std::chrono::milliseconds timeout);

 private:
  explicit Client(int fd) : fd_(fd) {}
  absl::Status Fill(std::chrono::steady_clock::time_point deadline);

  const int fd_;
  std::string in_;
  size_t used_ = 0;  // of in_
};

// Appends a command to `out`.
void EncodeCommand(const std::vector<std::string_view>& args, std::string* out);

}  // namespace kdb::e2e

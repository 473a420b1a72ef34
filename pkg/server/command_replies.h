// Answers of one command stream on their way out.
#pragma once

#include <memory>
#include <string_view>

#include "pkg/base/mutex.h"
#include "pkg/net/connection.h"
#include "proto/shard.pb.h"

namespace kdb::server {

// Thread-safe. What is sent once the connection is closed is dropped.
class CommandReplies {
 public:
  // Two batches in flight with the largest replies, and reads.
  static constexpr size_t kMaxUnreadBytes = 768 << 20;

  // A proxy that leaves more than `max_unread_bytes` unread is cut off.
  explicit CommandReplies(std::shared_ptr<net::Connection> connection,
                          size_t max_unread_bytes = kMaxUnreadBytes)
      : max_unread_bytes_(max_unread_bytes), connection_(std::move(connection)) {}

  void Send(const shardpb::CommandsReply& reply);
  // A wire::BatchReply of any size: one that no frame could carry goes in parts.
  void SendWriteReply(std::string_view bytes);
  void SendReadReply(std::string_view bytes);

 private:
  using Field = std::string* (shardpb::CommandsReply::*)();
  void SendInParts(Field field, std::string_view bytes);

  const size_t max_unread_bytes_;
  Mutex mu_;                                           // keeps the parts of one reply together
  const std::shared_ptr<net::Connection> connection_;  // shared with its asynchronous operations
};

}  // namespace kdb::server

// A command stream to one member of a shard group: the frame protocol in servers, the simulated
// network in tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kdb::routing {

// What a link tells its owner; called on the owner's executor, never after the link is destroyed.
class ShardLinkHandler {
 public:
  virtual ~ShardLinkHandler() = default;
  // The answer to OpenSession; session 0: refused, with the leader's address if known.
  virtual void OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms,
                               std::string_view refusal, std::string_view leader_address) = 0;
  virtual void OnWriteReply(std::string_view batch_reply) = 0;  // wire::BatchReply
  virtual void OnReadReply(std::string_view batch_reply) = 0;
  // A part of a large reply came: the member is at work, and the way from it is slow.
  virtual void OnProgress() = 0;
  // This member leads no more: nothing that is unresolved will be answered here.
  virtual void OnLeaderChanged(std::string_view leader_address) = 0;
  // The stream ended; requests without an answer have an unknown outcome.
  virtual void OnBroken(const absl::Status& why) = 0;
};

// Not thread-safe: used on its owner's executor. Destroying it cancels the stream.
class ShardLink {
 public:
  virtual ~ShardLink() = default;
  virtual void OpenSession(uint64_t request_id) = 0;
  virtual void CloseSession(uint64_t session) = 0;
  virtual void SendWrite(std::string batch) = 0;
  virtual void SendRead(uint64_t id, std::string batch) = 0;
};

class ShardLinkFactory {
 public:
  virtual ~ShardLinkFactory() = default;
  // Never blocks; a connection that fails is an OnBroken.
  virtual std::unique_ptr<ShardLink> Connect(uint64_t gid, const std::string& address,
                                             ShardLinkHandler& handler) = 0;
};

}  // namespace kdb::routing

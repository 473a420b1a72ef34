// The parts of gRPC's wire protocol that are plain text or plain bytes
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "pkg/base/clock.h"

namespace kdb::http2 {

// Of protocol buffers: "application/grpc", "application/grpc+proto", with or without parameters.
bool IsGrpcContentType(std::string_view value);
// "100m" is 100 ms: at most 8 digits and a unit of H, M, S, m, u, n. Nothing: malformed.
std::optional<Clock::Duration> ParseTimeout(std::string_view value);
// A status message as the header grpc-message carries it; what is over 1 KiB is cut off.
std::string PercentEncode(std::string_view message);

// What precedes a message on the wire: a flag (compressed) and its length, big endian.
inline constexpr size_t kMessagePrefixBytes = 5;
std::array<char, kMessagePrefixBytes> MessagePrefix(size_t message_bytes);

// Collects the one message of a unary request from pieces split anywhere. Not thread-safe.
class MessageReader {
 public:
  // Errors are for the client: RESOURCE_EXHAUSTED (over `max_bytes`), UNIMPLEMENTED (compressed
  // under an encoding, or a second message), INTERNAL (against the protocol). After one, take no
  // more.
  absl::Status Take(std::string_view bytes, size_t max_bytes, bool has_encoding);
  // The request is at its end. UNIMPLEMENTED: no message came; INTERNAL: it is cut off.
  absl::Status Finish() const;

  // Of the message, once its prefix is in.
  std::optional<size_t> length() const;
  void Reserve() { message_.reserve(length_); }
  std::string TakeMessage() { return std::move(message_); }

 private:
  absl::Status TakePrefix(std::string_view* bytes, size_t max_bytes, bool has_encoding);

  std::array<char, kMessagePrefixBytes> prefix_{};
  size_t prefix_bytes_ = 0;
  size_t length_ = 0;
  std::string message_;
};

}  // namespace kdb::http2

// Frames and prefaces of the frame protocol (README.md).
#pragma once

#include <google/protobuf/message_lite.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kdb::net {

// Of a frame's body.
inline constexpr size_t kMaxFrameBytes = 48 << 20;  // one command of 32 MiB, and room
// Of the body of the dialler's first frame: strangers get no memory.
inline constexpr size_t kMaxHelloBytes = 4 << 10;

// Whole frames, header included. `body` is at most kMaxFrameBytes.
std::string ToFrame(const google::protobuf::MessageLite& body);
std::string ToFrame(std::string_view body);
// The frame that tells the peer why the connection ends.
std::string ToErrorFrame(const absl::Status& why);

struct FrameHeader {
  static constexpr size_t kBytes = 8;

  size_t body_bytes = 0;
  uint32_t crc = 0;
  bool error = false;

  // The first kBytes of a frame, unchecked.
  static FrameHeader Decode(std::string_view bytes);
};

// What the header of `frame`, which is whole, must have as its checksum.
uint32_t FrameChecksum(std::string_view frame);

// The status in an error frame's body; never OK.
absl::Status DecodeError(std::string_view body);

// Which protocol a connection speaks in its frames.
enum class Service : char { kRaft = 'R', kCommands = 'C', kSnapshots = 'S' };

struct Preface {
  static constexpr size_t kBytes = 8;

  static std::array<char, kBytes> Encode(Service service);
  // Whether these bytes, as many as there are, begin a preface of any version.
  static bool Matches(std::string_view bytes);
  // UNIMPLEMENTED: another version, or a service that is not known.
  static absl::StatusOr<Service> Decode(std::string_view bytes);
};

}  // namespace kdb::net

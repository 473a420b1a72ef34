// Cuts a stream of bytes into frames.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "pkg/net/frame.h"

namespace kdb::net {

// Not thread-safe. Its memory grows as bytes come, not by what a header announces, and shrinks when
// nothing waits.
class FrameReader {
 public:
  struct Frame {
    bool error = false;  // DecodeError reads the body
    std::string_view body;
  };

  // Where the next bytes go; never empty. Ends the life of the bodies that Next returned.
  std::span<char> Space();
  // The first `bytes` of Space were filled.
  void Add(size_t bytes) { end_ += bytes; }

  // The next frame; none: it is not whole yet. DATA_LOSS, for good: its body is longer than
  // `max_body_bytes`, or it is not as it was sent.
  absl::StatusOr<std::optional<Frame>> Next(size_t max_body_bytes);

 private:
  // Not initialized: what no byte came for takes no memory.
  std::unique_ptr<char[]> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;  // of what Next has not returned
  size_t end_ = 0;
};

}  // namespace kdb::net

// Resets of calls that were never made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kdb::http2 {

// Takes such frames out of what a client sends. gRPC's C core (at least to 1.51) sends one when a
// call ends after it got its number and before its headers are written; by the book (RFC
// 9113, 5.1), and so for nghttp2, that is an error which ends the connection with all its other
// calls.
class IdleResets {
 public:
  // What comes next of `in`, which loses it, but for those frames; empty at the end of `in`. Valid
  // until the next call, and as long as what `in` views.
  std::string_view Next(std::string_view* in);
  // How many were taken out since the last call.
  int TakeCount();

 private:
  static constexpr size_t kHeadBytes = 9;
  static constexpr size_t kPrefaceBytes = 24;

  // How much of `in` goes on without a look at what follows.
  size_t Passing(std::string_view in);
  // Fills head_; true when it is whole and goes on.
  bool TakeHead(std::string_view* in);
  // `head` is whole.
  bool IsIdleReset(const char* head) const;
  void NoteHead(const char* head);

  size_t pass_ = kPrefaceBytes;  // of the frame under way
  size_t drop_ = 0;
  std::array<char, kHeadBytes> head_{};  // of a frame that came in pieces, or is taken out
  size_t head_bytes_ = 0;
  uint32_t last_call_ = 0;
  int count_ = 0;
};

}  // namespace kdb::http2

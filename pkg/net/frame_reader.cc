#include "pkg/net/frame_reader.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

namespace kdb::net {
namespace {

constexpr size_t kIdleBytes = 64 << 10;

}  // namespace

std::span<char> FrameReader::Space() {
  size_t have = end_ - begin_;
  size_t capacity = capacity_;
  if (have == 0) {
    capacity = kIdleBytes;
  } else if (have == capacity_) {
    capacity = 2 * capacity_;
  }
  if (capacity != capacity_) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity);
    if (have > 0) std::memcpy(bytes.get(), bytes_.get() + begin_, have);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
  } else if (begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, have);
  }
  begin_ = 0;
  end_ = have;
  return {bytes_.get() + end_, capacity_ - end_};
}

absl::StatusOr<std::optional<FrameReader::Frame>> FrameReader::Next(size_t max_body_bytes) {
  std::string_view have(bytes_.get() + begin_, end_ - begin_);
  if (have.size() < FrameHeader::kBytes) return std::nullopt;
  FrameHeader header = FrameHeader::Decode(have);
  if (header.body_bytes > max_body_bytes) {
    return absl::DataLossError(
        fmt::format("a frame of {} bytes; the limit is {}", header.body_bytes, max_body_bytes));
  }
  size_t whole = FrameHeader::kBytes + header.body_bytes;
  if (have.size() < whole) return std::nullopt;
  if (header.crc != FrameChecksum(have.substr(0, whole))) {
    return absl::DataLossError("a frame's checksum is wrong: it was damaged on its way");
  }
  begin_ += whole;
  return Frame{.error = header.error, .body = have.substr(FrameHeader::kBytes, header.body_bytes)};
}

}  // namespace kdb::net

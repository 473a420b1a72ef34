#include "pkg/http2/grpc_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace kdb::http2 {
namespace {

constexpr size_t kMaxTimeoutDigits = 8;
constexpr size_t kMaxStatusMessageBytes = 1024;
// Far enough for any caller, and no sum with a clock overflows.
constexpr Clock::Duration kMaxTimeout = std::chrono::hours(24 * 365);

std::optional<Clock::Duration> UnitOf(char c) {
  switch (c) {
    case 'H':
      return std::chrono::hours(1);
    case 'M':
      return std::chrono::minutes(1);
    case 'S':
      return std::chrono::seconds(1);
    case 'm':
      return std::chrono::milliseconds(1);
    case 'u':
      return std::chrono::microseconds(1);
    case 'n':
      return std::chrono::nanoseconds(1);
    default:
      return std::nullopt;
  }
}

uint32_t LoadBig32(const char* p) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(p[i]);
  return value;
}

}  // namespace

bool IsGrpcContentType(std::string_view value) {
  constexpr std::string_view kType = "application/grpc";
  if (!value.starts_with(kType)) return false;
  value.remove_prefix(kType.size());
  if (value.starts_with("+proto")) value.remove_prefix(6);
  return value.empty() || value.front() == ';' || value.front() == ' ';
}

std::optional<Clock::Duration> ParseTimeout(std::string_view value) {
  if (value.size() < 2 || value.size() > kMaxTimeoutDigits + 1) return std::nullopt;
  std::optional<Clock::Duration> unit = UnitOf(value.back());
  if (!unit.has_value()) return std::nullopt;
  const char* digits_end = value.data() + value.size() - 1;
  uint32_t number = 0;
  auto [end, error] = std::from_chars(value.data(), digits_end, number);
  if (error != std::errc() || end != digits_end) return std::nullopt;
  if (number > kMaxTimeout / *unit) return kMaxTimeout;
  return *unit * number;
}

std::string PercentEncode(std::string_view message) {
  std::string out;
  for (char c : message.substr(0, kMaxStatusMessageBytes)) {
    if (c >= ' ' && c <= '~' && c != '%') {
      out.push_back(c);
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<uint8_t>(c));
    }
  }
  return out;
}

std::array<char, kMessagePrefixBytes> MessagePrefix(size_t message_bytes) {
  auto byte = [message_bytes](int shift) {
    return static_cast<char>(message_bytes >> shift & 255);
  };
  return {0, byte(24), byte(16), byte(8), byte(0)};
}

absl::Status MessageReader::Take(std::string_view bytes, size_t max_bytes, bool has_encoding) {
  if (absl::Status status = TakePrefix(&bytes, max_bytes, has_encoding); !status.ok()) {
    return status;
  }
  if (bytes.size() > length_ - message_.size()) {
    return absl::UnimplementedError("a unary call has one message");
  }
  message_.append(bytes);
  return absl::OkStatus();
}

absl::Status MessageReader::TakePrefix(std::string_view* bytes, size_t max_bytes,
                                       bool has_encoding) {
  if (prefix_bytes_ == kMessagePrefixBytes) return absl::OkStatus();
  size_t n = std::min(bytes->size(), kMessagePrefixBytes - prefix_bytes_);
  std::memcpy(prefix_.data() + prefix_bytes_, bytes->data(), n);
  bytes->remove_prefix(n);
  prefix_bytes_ += n;
  if (prefix_bytes_ < kMessagePrefixBytes) return absl::OkStatus();
  if (prefix_[0] == 1 && has_encoding) {
    return absl::UnimplementedError("compressed messages are not supported");
  }
  if (prefix_[0] != 0) return absl::InternalError("the compressed flag is set without an encoding");
  length_ = LoadBig32(prefix_.data() + 1);
  if (length_ <= max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("the request has {} bytes, over the limit of {}", length_, max_bytes));
}

absl::Status MessageReader::Finish() const {
  if (prefix_bytes_ == 0) return absl::UnimplementedError("a unary call has one message");
  if (prefix_bytes_ < kMessagePrefixBytes || message_.size() < length_) {
    return absl::InternalError("the request ends inside its message");
  }
  return absl::OkStatus();
}

std::optional<size_t> MessageReader::length() const {
  if (prefix_bytes_ < kMessagePrefixBytes) return std::nullopt;
  return length_;
}

}  // namespace kdb::http2

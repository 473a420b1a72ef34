#include "pkg/net/frame.h"

#include <fmt/format.h>

#include <cstring>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"

namespace kdb::net {
namespace {

constexpr uint32_t kErrorBit = 1u << 31;
constexpr std::string_view kMagic = "KDB";
constexpr char kVersion = '1';
constexpr size_t kMaxErrorText = kMaxHelloBytes - 1;

void Seal(std::string& frame, uint32_t flags) {
  size_t body_bytes = frame.size() - FrameHeader::kBytes;
  KDB_CHECK(body_bytes <= kMaxFrameBytes, "a frame is over its limit");
  StoreLittle(frame.data(), static_cast<uint32_t>(body_bytes) | flags);
  StoreLittle(frame.data() + 4, FrameChecksum(frame));
}

}  // namespace

std::string ToFrame(const google::protobuf::MessageLite& body) {
  size_t bytes = body.ByteSizeLong();
  std::string frame(FrameHeader::kBytes + bytes, '\0');
  body.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(frame.data() + FrameHeader::kBytes));
  Seal(frame, 0);
  return frame;
}

std::string ToFrame(std::string_view body) {
  std::string frame(FrameHeader::kBytes, '\0');
  frame.append(body);
  Seal(frame, 0);
  return frame;
}

std::string ToErrorFrame(const absl::Status& why) {
  std::string frame(FrameHeader::kBytes, '\0');
  frame.push_back(static_cast<char>(why.raw_code()));
  frame.append(
      std::string_view(why.message().data(), why.message().size()).substr(0, kMaxErrorText));
  Seal(frame, kErrorBit);
  return frame;
}

FrameHeader FrameHeader::Decode(std::string_view bytes) {
  auto length = LoadLittle<uint32_t>(bytes.data());
  return {.body_bytes = length & ~kErrorBit,
          .crc = LoadLittle<uint32_t>(bytes.data() + 4),
          .error = (length & kErrorBit) != 0};
}

uint32_t FrameChecksum(std::string_view frame) {
  return ExtendCrc32c(Crc32c(frame.substr(0, 4)), frame.substr(FrameHeader::kBytes));
}

absl::Status DecodeError(std::string_view body) {
  if (body.empty() || body[0] <= 0 ||
      body[0] > static_cast<char>(absl::StatusCode::kUnauthenticated)) {
    return absl::UnknownError("the peer ended the connection with an error of unknown kind");
  }
  return {static_cast<absl::StatusCode>(body[0]), {body.data() + 1, body.size() - 1}};
}

std::array<char, Preface::kBytes> Preface::Encode(Service service) {
  return {kMagic[0], kMagic[1], kMagic[2], kVersion, static_cast<char>(service), 0, 0, 0};
}

bool Preface::Matches(std::string_view bytes) {
  std::string_view both = kMagic.substr(0, bytes.size());
  return bytes.starts_with(both);
}

absl::StatusOr<Service> Preface::Decode(std::string_view bytes) {
  if (bytes[kMagic.size()] != kVersion) {
    return absl::UnimplementedError(
        fmt::format("this server speaks version {} of the frame protocol", kVersion));
  }
  auto service = static_cast<Service>(bytes[kMagic.size() + 1]);
  switch (service) {
    case Service::kRaft:
    case Service::kCommands:
    case Service::kSnapshots:
      return service;
  }
  return absl::UnimplementedError(
      "this server does not know the frame protocol's service that is asked for");
}

}  // namespace kdb::net

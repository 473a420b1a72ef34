#include "pkg/net/frame_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "pkg/base/coding.h"

namespace kdb::net {
namespace {

using Frame = FrameReader::Frame;

void Feed(FrameReader& reader, std::string_view bytes) {
  while (!bytes.empty()) {
    std::span<char> space = reader.Space();
    size_t n = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), n);
    reader.Add(n);
    bytes.remove_prefix(n);
  }
}

absl::StatusOr<std::optional<Frame>> Next(FrameReader& reader) {
  return reader.Next(kMaxFrameBytes);
}

TEST(FrameReaderTest, CutsAnywhere) {
  std::string stream = ToFrame("one") + ToFrame("") + ToErrorFrame(absl::AbortedError("three"));
  for (size_t step = 1; step <= stream.size(); ++step) {
    FrameReader reader;
    std::vector<std::string> bodies;
    for (size_t at = 0; at < stream.size(); at += step) {
      Feed(reader, std::string_view(stream).substr(at, step));
      for (auto frame = Next(reader); frame.value().has_value(); frame = Next(reader)) {
        bodies.push_back((*frame)->error ? DecodeError((*frame)->body).ToString()
                                         : std::string((*frame)->body));
      }
    }
    EXPECT_EQ(bodies, (std::vector<std::string>{"one", "", "ABORTED: three"})) << step;
  }
}

TEST(FrameReaderTest, EveryFlippedBitIsDetected) {
  constexpr size_t kLimit = 64 << 10;
  const std::string frame = ToFrame("a body");
  for (size_t bit = 0; bit < 8 * frame.size(); ++bit) {
    std::string damaged = frame;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader;
    Feed(reader, damaged);
    absl::StatusOr<std::optional<Frame>> next = reader.Next(kLimit);
    // A length that grew waits for bytes that are not the frame's: the next ones give it away.
    if (next.ok() && !next->has_value()) {
      Feed(reader, std::string(kLimit, 'x'));
      next = reader.Next(kLimit);
    }
    EXPECT_EQ(next.status().code(), absl::StatusCode::kDataLoss) << "bit " << bit;
  }
}

TEST(FrameReaderTest, RefusesALengthOverTheLimitByItsHeader) {
  FrameReader reader;
  Feed(reader, ToFrame(std::string(101, 'x')).substr(0, FrameHeader::kBytes));
  EXPECT_EQ(reader.Next(100).status().message(), "a frame of 101 bytes; the limit is 100");
  EXPECT_FALSE(reader.Next(101).value().has_value());
}

TEST(FrameReaderTest, AHeaderTakesNoMemory) {
  FrameReader reader;
  size_t idle = reader.Space().size();
  std::string header = ToFrame("");
  StoreLittle(header.data(), static_cast<uint32_t>(kMaxFrameBytes));
  Feed(reader, header);
  EXPECT_FALSE(Next(reader).value().has_value());
  EXPECT_EQ(reader.Space().size(), idle - FrameHeader::kBytes);
}

TEST(FrameReaderTest, ShrinksAfterALargeFrame) {
  FrameReader reader;
  size_t idle = reader.Space().size();
  std::string body(1 << 20, 'x');
  Feed(reader, ToFrame(body));
  absl::StatusOr<std::optional<Frame>> frame = Next(reader);
  ASSERT_TRUE(frame.ok() && frame->has_value());
  EXPECT_EQ((*frame)->body, body);
  EXPECT_EQ(reader.Space().size(), idle);
}

TEST(FrameReaderTest, KeepsManyFramesOfAnySize) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  FrameReader reader;
  std::string stream;
  for (int i = 0; i < 200; ++i) {
    stream += ToFrame(std::string(random() % (i % 10 == 0 ? 500'000 : 300), static_cast<char>(i)));
  }
  int frames = 0;
  for (size_t at = 0; at < stream.size();) {
    size_t step = random() % 100'000;
    Feed(reader, std::string_view(stream).substr(at, step));
    at += step;
    for (auto frame = Next(reader); frame.value().has_value(); frame = Next(reader)) {
      EXPECT_EQ((*frame)->body.find_first_not_of(static_cast<char>(frames)), std::string::npos);
      ++frames;
    }
  }
  EXPECT_EQ(frames, 200);
}

}  // namespace
}  // namespace kdb::net

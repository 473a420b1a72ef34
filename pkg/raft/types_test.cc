#include "pkg/raft/types.h"

#include <gtest/gtest.h>

#include "pkg/base/random.h"

namespace kdb::raft {
namespace {

ConfChange SampleChange() {
  return {{{ConfChangeKind::kAddVoter, 4}, {ConfChangeKind::kRemove, 300}}, "member"};
}

ConfState SampleState() { return {{1, 2, 300}, {1, 2, 3}, {7}, {3}, true}; }

TEST(ConfCodingTest, RoundTrips) {
  for (const ConfChange& c : {ConfChange{}, SampleChange()}) {
    ConfChange back;
    ASSERT_TRUE(DecodeConfChange(EncodeConfChange(c), &back));
    EXPECT_EQ(back, c);
  }
  for (const ConfState& c : {ConfState{}, SampleState()}) {
    ConfState back;
    ASSERT_TRUE(DecodeConfState(EncodeConfState(c), &back));
    EXPECT_EQ(back, c);
  }
}

// The bytes are on disks: a change here is a new version.
TEST(ConfCodingTest, BytesAreFrozen) {
  EXPECT_EQ(EncodeConfChange(SampleChange()),
            std::string("\x01\x02\x00\x04\x01\xac\x02\x06member", 14));
  EXPECT_EQ(EncodeConfState(SampleState()),
            std::string("\x01\x03\x01\x02\xac\x02\x03\x01\x02\x03\x01\x07\x01\x03\x01", 15));
}

TEST(ConfCodingTest, RefusesEveryPrefixAndAnyTail) {
  std::string change = EncodeConfChange(SampleChange());
  std::string state = EncodeConfState(SampleState());
  ConfChange c;
  ConfState s;
  for (size_t n = 0; n < change.size(); ++n)
    EXPECT_FALSE(DecodeConfChange(change.substr(0, n), &c));
  for (size_t n = 0; n < state.size(); ++n) EXPECT_FALSE(DecodeConfState(state.substr(0, n), &s));
  EXPECT_FALSE(DecodeConfChange(change + "x", &c));
  EXPECT_FALSE(DecodeConfState(state + "x", &s));
}

TEST(ConfCodingTest, RefusesOtherVersionsKindsAndOrder) {
  ConfChange c;
  ConfState s;
  EXPECT_FALSE(DecodeConfChange(std::string("\x02\x00\x00", 3), &c));
  EXPECT_FALSE(DecodeConfChange(std::string("\x01\x01\x04\x04\x00", 5), &c));
  EXPECT_FALSE(DecodeConfState(std::string("\x02\x00\x00\x00\x00\x00", 6), &s));
  EXPECT_FALSE(DecodeConfState(std::string("\x01\x02\x02\x01\x00\x00\x00\x00", 8), &s));
  EXPECT_FALSE(DecodeConfState(std::string("\x01\x01\x00\x00\x00\x00\x00", 7), &s));
  EXPECT_FALSE(DecodeConfState(std::string("\x01\x00\x00\x00\x00\x02", 6), &s));
  EXPECT_FALSE(DecodeConfState(std::string("\x01\x80\x00\x00\x00\x00\x00", 7), &s));
}

// What decodes encodes to the same bytes, and nothing crashes.
TEST(ConfCodingTest, RandomBytesAreHandled) {
  Random random(7);
  for (int round = 0; round < 100000; ++round) {
    std::string bytes(1, '\x01');
    for (uint64_t n = random.Uniform(12); n > 0; --n) {
      bytes.push_back(static_cast<char>(random.Uniform(random.OneIn(4) ? 256 : 5)));
    }
    ConfChange c;
    ConfState s;
    if (DecodeConfChange(bytes, &c)) {
      ASSERT_EQ(EncodeConfChange(c), bytes);
    }
    if (DecodeConfState(bytes, &s)) {
      ASSERT_EQ(EncodeConfState(s), bytes);
    }
  }
}

}  // namespace
}  // namespace kdb::raft

#include "pkg/storage/system_record.h"

#include <gtest/gtest.h>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"

namespace kdb::storage {
namespace {

const SystemRecord kRecord{300, 2, std::string("a\0b", 3), 1700000000000, 12345, 1};

TEST(SystemRecord, RoundTrips) {
  EXPECT_EQ(DecodeSystemRecord(EncodeSystemRecord(kRecord)).value(), kRecord);
  EXPECT_EQ(DecodeSystemRecord(EncodeSystemRecord({})).value(), SystemRecord{});
}

TEST(SystemRecord, EveryFlippedBitAndEveryCutIsDataLoss) {
  const std::string good = EncodeSystemRecord(kRecord);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(DecodeSystemRecord(bad).status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(DecodeSystemRecord(good.substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(DecodeSystemRecord(good + "x").ok());
}

TEST(SystemRecord, LeftOverBytesUnderAGoodChecksumAreDataLoss) {
  std::string bytes = EncodeSystemRecord(kRecord);
  bytes.resize(bytes.size() - 4);
  bytes += "x";
  AppendLittle(bytes, Crc32c(bytes));
  EXPECT_FALSE(DecodeSystemRecord(bytes).ok());
}

}  // namespace
}  // namespace kdb::storage

// Cuts a small log, and flips a bit of it, at every byte, and asserts what FORMAT.md says of it.
#include "pkg/base/damage.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "pkg/base/coding.h"
#include "pkg/base/crc32c.h"
#include "pkg/wal/wal_test_util.h"

namespace kdb::wal {
namespace {

using ::testing::HasSubstr;
using Files = std::map<std::string, std::string>;

constexpr uint64_t kRecords = 8192;  // offset of the first record

Options DamageOptions() { return {.segment_bytes = 24 << 10, .spare_segments = 1, .seed = 1}; }

// A record as the bytes say, read without the code under test.
struct RawRecord {
  uint64_t begin, end;  // without padding
  uint8_t type;
  uint32_t durable;
  uint64_t index;

  bool Covers(uint64_t offset) const { return offset >= begin && offset < end; }
  bool IsHardStateCopy() const { return type == 2 && index != 0; }
};

std::vector<RawRecord> Parse(const std::string& bytes) {
  std::vector<RawRecord> records;
  uint64_t at = kRecords;
  while (at + 40 <= bytes.size() && bytes[at + 16] != 0) {
    const char* p = bytes.data() + at;
    uint32_t body = LoadLittle<uint32_t>(p + 8);
    records.push_back({.begin = at,
                       .end = at + 40 + body,
                       .type = static_cast<uint8_t>(p[16]),
                       .durable = LoadLittle<uint32_t>(p + 12),
                       .index = LoadLittle<uint64_t>(p + 24)});
    at = (at + 40 + body + 7) / 8 * 8;
  }
  return records;
}

// What Open must say.
struct Expected {
  bool refused = false;
  uint64_t offset = 0;   // of the refusal
  raft::Index last = 0;  // else
  raft::HardState hard_state;
};

class DamageTest : public ::testing::Test {
 protected:
  // Two segments with votes, superseded entries, a mark, and a window above it; a spare.
  void SetUp() override {
    TestLog log(DamageOptions());
    log.Open();
    ASSERT_TRUE(log.AppendSynced(1, 1, 3, 50, raft::HardState{.term = 1, .vote = 2}).ok());
    ASSERT_TRUE(log.AppendSynced(4, 1, 2, 500).ok());
    ASSERT_TRUE(log.AppendSynced(5, 2, 1, 101, raft::HardState{.term = 2, .vote = 3}).ok());
    ASSERT_TRUE(log.AppendSynced(6, 2, 1, 1500).ok());
    ASSERT_TRUE(log.AppendSynced(7, 2, 1, 7000).ok());  // the second segment
    ASSERT_TRUE(log.wal().Mark().ok());
    ASSERT_TRUE(log.AppendSynced(8, 2, 2, 30).ok());
    ASSERT_TRUE(log.Append(10, 3, 2, 33, raft::HardState{3, 1, 7}).ok());
    ASSERT_TRUE(log.Append(12, 3, 2, 20, raft::HardState{3, 1, 9}).ok());
    ASSERT_TRUE(log.AppendSynced(14, 3, 1, 20).ok());
    ASSERT_TRUE(log.wal().Prepare().ok());
    all_ = log.All();
    final_ = {3, 1, 9};
    log.Close();
    DiskImage& disk = log.fs().disk();
    log.fs().Crash();
    const std::vector<std::string> names = *disk.List(kDir);
    for (const std::string& name : names) {
      files_[name] = *ReadFile(disk, fmt::format("{}/{}", kDir, name));
    }
    ASSERT_EQ(files_.size(), 2u) << "two segments; the spare was not synced";
    sealed_ = files_.begin()->first;
    newest_ = files_.rbegin()->first;
    files_["00000000000000ff.spare"] = std::string(24 << 10, 's');
    sealed_end_ = LoadLittle<uint64_t>(files_[newest_].data() + 48);
    ASSERT_EQ(Parse(files_[sealed_]).size(), 11u);
    ASSERT_EQ(Parse(files_[newest_]).size(), 12u);
  }

  Expected Whole() const { return {false, 0, all_.back().index, final_}; }
  static Expected Refused(uint64_t offset) { return {true, offset, 0, {}}; }

  Expected AfterFlip(const std::string& name, uint64_t offset) {
    if (name.ends_with(".spare") || offset < kRecords) return Whole();
    if (name == sealed_ && offset >= sealed_end_) return Whole();
    std::vector<RawRecord> records = Parse(files_[name]);
    for (size_t i = 0; i < records.size(); ++i) {
      if (!records[i].Covers(offset)) continue;
      if (records[i].IsHardStateCopy()) return Whole();
      uint64_t claim = name == sealed_ ? sealed_end_ : 0;
      for (size_t j = i + 1; j < records.size(); ++j) {
        claim = std::max<uint64_t>(claim, records[j].durable);
      }
      if (claim > records[i].begin) return Refused(records[i].begin);
      return CutOff(records, i);
    }
    return Whole();  // padding, or behind the end
  }

  // The window: as if the log ended there, but for the hard states behind.
  Expected CutOff(const std::vector<RawRecord>& records, size_t damaged) {
    Expected expected{false, 0, 6, {2, 3, 0}};
    for (size_t i = 0; i < records.size(); ++i) {
      if (records[i].type == 1 && i < damaged) expected.last = records[i].index;
      if (records[i].type == 2 && i != damaged) {
        const char* p = files_[newest_].data() + records[i].begin;
        expected.hard_state = {LoadLittle<uint64_t>(p + 32), LoadLittle<uint64_t>(p + 40),
                               LoadLittle<uint64_t>(p + 48)};
      }
    }
    expected.hard_state.commit = std::min(expected.hard_state.commit, expected.last);
    return expected;
  }

  void Check(const Files& files, const std::string& damaged, const Expected& expected) {
    DiskImage disk;
    ASSERT_TRUE(disk.CreateDir(kDir).ok());
    for (const auto& [name, bytes] : files) {
      auto file = *disk.Open(fmt::format("{}/{}", kDir, name), OpenMode::kCreateNew);
      ASSERT_TRUE(file->WriteAt(0, bytes).ok());
    }
    Recovered recovered;
    auto wal = Wal::Open(disk, kDir, DamageOptions(), &recovered);
    ASSERT_EQ(wal.ok(), !expected.refused) << wal.status();
    if (expected.refused) {
      ASSERT_TRUE(absl::IsDataLoss(wal.status()) && IsDamage(wal.status())) << wal.status();
      ASSERT_THAT(wal.status().message(), HasSubstr(damaged));
      ASSERT_THAT(wal.status().message(), HasSubstr(fmt::format("offset {}:", expected.offset)));
      ASSERT_THAT(wal.status().message(), HasSubstr("kdbctl member replace"));
      return;
    }
    ASSERT_EQ(recovered.last_index, expected.last);
    ASSERT_EQ(recovered.hard_state, expected.hard_state);
    auto entries = (*wal)->Read(1, expected.last + 1, SIZE_MAX);
    ASSERT_TRUE(entries.ok()) << entries.status();
    ASSERT_TRUE(std::equal(entries->begin(), entries->end(), all_.begin()));
  }

  Files files_;
  std::string sealed_, newest_;
  uint64_t sealed_end_ = 0;
  std::vector<raft::Entry> all_;
  raft::HardState final_;
};

TEST_F(DamageTest, Undamaged) { Check(files_, "", Whole()); }

TEST_F(DamageTest, FlipAtEveryByte) {
  int refused = 0, shortened = 0;
  for (const auto& [name, bytes] : files_) {
    for (uint64_t offset = 0; offset < bytes.size(); ++offset) {
      Files files = files_;
      char& byte = files[name][offset];
      byte = static_cast<char>(byte ^ (1 << (offset % 8)));
      Expected expected = AfterFlip(name, offset);
      refused += expected.refused;
      shortened += !expected.refused && expected.last < all_.back().index;
      Check(files, name, expected);
      ASSERT_FALSE(HasFatalFailure()) << name << " flipped at " << offset;
    }
  }
  EXPECT_GT(refused, 2000);
  EXPECT_GT(shortened, 300);
}

TEST_F(DamageTest, CutAtEveryByte) {
  for (const auto& [name, bytes] : files_) {
    for (uint64_t size = 0; size < bytes.size(); ++size) {
      Files files = files_;
      files[name].resize(size);
      bool harmless = name.ends_with(".spare") || (name == sealed_ && size >= sealed_end_);
      Expected expected = harmless ? Whole() : Refused(size < 96 ? 0 : size);
      Check(files, name, expected);
      ASSERT_FALSE(HasFatalFailure()) << name << " cut to " << size;
    }
  }
}

TEST_F(DamageTest, BothHeaderCopies) {
  for (const std::string& name : {sealed_, newest_}) {
    Files files = files_;
    files[name][20] ^= 1;
    files[name][4096 + 30] ^= 1;
    Check(files, name, Refused(0));
  }
}

TEST_F(DamageTest, BothHardStateCopies) {
  std::vector<RawRecord> records = Parse(files_[sealed_]);
  size_t first = 0;
  while (!records[first].IsHardStateCopy()) ++first;
  Files files = files_;
  files[sealed_][records[first].begin + 33] ^= 1;
  files[sealed_][records[first + 1].begin + 33] ^= 1;
  Check(files, sealed_, Refused(records[first].begin));
}

// One of the two blocks is lost as a whole.
TEST_F(DamageTest, BlockWithAHardStateCopy) {
  std::vector<RawRecord> records = Parse(files_[sealed_]);
  ASSERT_TRUE(records[0].IsHardStateCopy());
  Files files = files_;
  files[sealed_].replace(8192, 4096, std::string(4096, '\xff'));
  Check(files, sealed_, Whole());
}

TEST_F(DamageTest, MissingSegment) {
  TestLog log;
  log.Open();
  for (raft::Index i = 1; i <= 12; ++i) ASSERT_TRUE(log.AppendSynced(i, 1, 1, 2000).ok());
  ASSERT_TRUE(log.Files().size() > 3);
  std::string middle = log.Files()[1];
  log.Close();
  ASSERT_TRUE(log.fs().Remove(fmt::format("{}/{}", kDir, middle)).ok());
  absl::Status status = log.TryOpen();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_FALSE(IsDamage(status)) << "it may come back";
  EXPECT_THAT(status.message(), HasSubstr(middle));
}

TEST_F(DamageTest, WrongName) {
  Files files = files_;
  auto node = files.extract(newest_);
  node.key() = "0000000000000009.wal";
  files.insert(std::move(node));
  Check(files, "0000000000000009.wal", Refused(16));
}

TEST_F(DamageTest, NewerVersionIsNotDamage) {
  DiskImage disk;
  std::string bytes = files_[newest_];
  for (size_t at : {0, 4096}) {
    StoreLittle<uint32_t>(bytes.data() + at + 8, 2);
    // The checksum stands in the middle of what it covers.
    std::string covered = bytes.substr(at, 12) + bytes.substr(at + 16, 80);
    StoreLittle<uint32_t>(bytes.data() + at + 12, Crc32c(covered));
  }
  ASSERT_TRUE(disk.CreateDir(kDir).ok());
  auto file = *disk.Open(fmt::format("{}/{}", kDir, newest_), OpenMode::kCreateNew);
  ASSERT_TRUE(file->WriteAt(0, bytes).ok());
  Recovered recovered;
  absl::Status status = Wal::Open(disk, kDir, DamageOptions(), &recovered).status();
  EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
}

}  // namespace
}  // namespace kdb::wal

#include "pkg/exec/test_shard.h"

#include <gtest/gtest.h>

#include <map>

#include "pkg/exec/encoding.h"
#include "pkg/exec/ordered_scan.h"

namespace kdb::exec {
namespace {

constexpr SipKey kSeed{0x0123456789abcdef, 0xfedcba9876543210};

}  // namespace

TestShard::TestShard(std::unique_ptr<storage::Engine> engine)
    : engine_(std::move(engine)), batch_(engine_->NewBatch()), overlay_(*engine_) {
  owned_.set();
}
TestShard::~TestShard() = default;

Environment TestShard::Env(const storage::Reader& reader, storage::Overlay* writer) {
  return {reader, writer, kSeed, owned_, counts_, limits_, now_ms_, &rev_, &newest_hidden_ms_};
}

std::string TestShard::Execute(const std::vector<std::string>& args, const storage::Reader& reader,
                               storage::Overlay* writer) {
  const std::vector<std::string_view> views(args.begin(), args.end());
  std::string reply;
  resp::ReplyWriter writer_of_reply(version_, reply);
  const redis::Command* command = nullptr;
  absl::Status status = ResolveOnShard(views, &command);
  if (!status.ok()) {
    writer_of_reply.Error(std::string(status.message()));
    return reply;
  }
  Environment env = Env(reader, writer);
  status = exec::Execute(*command, views, env, writer_of_reply);
  return status.ok() ? reply : "STATUS " + status.ToString();
}

std::string TestShard::Run(const std::vector<std::string>& args) {
  std::string reply = Execute(args, overlay_, &overlay_);
  if (!batch_open_) CloseBatch();
  return reply;
}

std::string TestShard::Read(const std::vector<std::string>& args) {
  return Execute(args, *engine_, nullptr);
}

std::string TestShard::operator()(std::string_view line) {
  std::vector<std::string> args;
  for (size_t begin = 0; begin <= line.size();) {
    size_t end = std::min(line.find(' ', begin), line.size());
    std::string_view word = line.substr(begin, end - begin);
    args.emplace_back(word == "''" ? "" : word);
    begin = end + 1;
  }
  return Run(args);
}

absl::StatusOr<size_t> TestShard::DeleteExpired(size_t limit, shard::Slot* slot) {
  Environment env = Env(overlay_, &overlay_);
  auto deleted = exec::DeleteExpired(env, limit, slot);
  if (!batch_open_) CloseBatch();
  return deleted;
}

absl::StatusOr<int64_t> TestShard::EarliestExpiry() {
  return exec::EarliestExpiry(Env(*engine_, nullptr));
}

void TestShard::Recover() {
  batch_open_ = false;
  overlay_.Clear();
  rev_ = ReadSystemRecord(*engine_).value().rev;
  counts_ = TestCounts();
  std::string end;
  SlotPrefix(shard::kSlots, &end);
  const auto it = engine_->NewIterator("", end);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const shard::Slot slot = SlotOfRecord(it->key());
    const auto kind = static_cast<RecordKind>(it->key()[2]);
    if (kind == RecordKind::kHead) counts_.AddKeys(slot, 1);
    if (kind == RecordKind::kExpiry) counts_.AddExpires(slot, 1);
  }
}

void TestShard::CloseBatch(const storage::SystemRecord* record) {
  batch_open_ = false;
  if (record != nullptr) {
    overlay_.Put(storage::SystemRecordKey(), storage::EncodeSystemRecord(*record));
  }
  overlay_.AddTo(*batch_);
  EXPECT_TRUE(engine_->Write(*batch_).ok());
  batch_->Clear();
  overlay_.Written();
}

void TestShard::CheckInvariants() {
  std::map<std::string, std::string> expected, actual;
  TestCounts heads;
  std::string end;
  SlotPrefix(shard::kSlots, &end);
  const auto it = engine_->NewIterator("", end);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto kind = static_cast<RecordKind>(it->key()[2]);
    const shard::Slot slot = SlotOfRecord(it->key());
    if (kind != RecordKind::kHead) {
      actual.emplace(it->key(), it->value());
      continue;
    }
    const std::string key(it->key().substr(kKeyPrefixBytes));
    Head head;
    EXPECT_TRUE(DecodeHead(it->value(), &head)) << key;
    EXPECT_EQ(slot, shard::SlotOf(key)) << key;
    heads.AddKeys(slot, 1);
    std::string record;
    ScanKey(slot, Hash48(kSeed, key), key, &record);
    expected.emplace(record, "");
    if (head.expire_ms) {
      heads.AddExpires(slot, 1);
      ExpiryKey(slot, *head.expire_ms, key, &record);
      expected.emplace(record, "");
    }
  }
  EXPECT_EQ(actual, expected) << "the indexes are not those of the heads";
  for (shard::Slot slot = 0; slot < shard::kSlots; ++slot) {
    EXPECT_EQ(counts_.Keys(slot), heads.Keys(slot)) << "keys of slot " << slot;
    EXPECT_EQ(counts_.Expires(slot), heads.Expires(slot)) << "expiries of slot " << slot;
  }
}

}  // namespace kdb::exec

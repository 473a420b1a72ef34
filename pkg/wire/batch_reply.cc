#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/wire/batch.h"
#include "pkg/wire/strict_reader.h"

namespace kdb::wire {
namespace {

constexpr uint8_t kVersion = 1;

// Offsets in the fixed head.
constexpr size_t kCodeAt = 1;
constexpr size_t kSessionAt = 2;
constexpr size_t kSeqAt = 10;
constexpr size_t kLogTimeAt = 18;
constexpr size_t kResultsAt = 26;
constexpr size_t kHeadBytes = 30;

constexpr size_t kMinResultBytes = 1;

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(fmt::format("batch reply: {}", what));
}

void StoreHead(const BatchReply& head, uint32_t results, char* out) {
  StoreLittle(out, kVersion);
  StoreLittle(out + kCodeAt, static_cast<uint8_t>(head.code));
  StoreLittle(out + kSessionAt, head.session);
  StoreLittle(out + kSeqAt, head.seq);
  StoreLittle(out + kLogTimeAt, head.log_time_ms);
  StoreLittle(out + kResultsAt, results);
}

bool ReadResult(StrictReader& in, Result* result) {
  auto code = in.Little<uint8_t>();
  if (!in.ok() || code > static_cast<uint8_t>(ResultCode::kFailed)) return false;
  result->code = static_cast<ResultCode>(code);
  switch (result->code) {
    case ResultCode::kReply:
    case ResultCode::kFailed:
      result->reply = in.LengthPrefixed();
      break;
    case ResultCode::kMoved:
      result->gid = in.Varint();
      result->epoch = in.Varint();
      result->addresses = in.LengthPrefixed();
      break;
    case ResultCode::kNotOwner:
      result->epoch = in.Varint();
      break;
    case ResultCode::kFrozen:
    case ResultCode::kLate:
    case ResultCode::kByIndex:
      break;
  }
  return in.ok();
}

}  // namespace

void BatchReplyBuilder::Start(uint64_t session, uint64_t seq, int64_t log_time_ms) {
  head_ = {};
  head_.session = session;
  head_.seq = seq;
  head_.log_time_ms = log_time_ms;
  body_.assign(kHeadBytes, '\0');
  results_ = 0;
}

void BatchReplyBuilder::AddResult(const Result& result) {
  AppendLittle(body_, static_cast<uint8_t>(result.code));
  switch (result.code) {
    case ResultCode::kReply:
    case ResultCode::kFailed:
      AppendLengthPrefixed(body_, result.reply);
      break;
    case ResultCode::kMoved:
      AppendVarint(body_, result.gid);
      AppendVarint(body_, result.epoch);
      AppendLengthPrefixed(body_, result.addresses);
      break;
    case ResultCode::kNotOwner:
      AppendVarint(body_, result.epoch);
      break;
    case ResultCode::kFrozen:
    case ResultCode::kLate:
    case ResultCode::kByIndex:
      break;
  }
  ++results_;
}

std::string BatchReplyBuilder::Finish() {
  KDB_CHECK(body_.size() >= kHeadBytes, "Finish without Start");
  StoreHead(head_, static_cast<uint32_t>(results_), body_.data());
  results_ = 0;
  return std::exchange(body_, {});
}

std::string BatchReplyBuilder::Refusal(const BatchReply& reply) {
  std::string out(kHeadBytes, '\0');
  StoreHead(reply, 0, out.data());
  if (reply.code == BatchCode::kGap) AppendVarint(out, reply.last);
  if (reply.code == BatchCode::kNotLeader) AppendLengthPrefixed(out, reply.hint);
  return out;
}

absl::StatusOr<BatchReply> DecodeBatchReply(std::string_view bytes) {
  if (bytes.size() < kHeadBytes) return Malformed("shorter than its head");
  auto version = static_cast<uint8_t>(bytes[0]);
  if (version != kVersion) return Malformed(fmt::format("version {} is unknown", version));
  auto code = static_cast<uint8_t>(bytes[kCodeAt]);
  if (code > static_cast<uint8_t>(BatchCode::kDiskFull)) {
    return Malformed(fmt::format("code {} is unknown", code));
  }
  BatchReply reply;
  reply.code = static_cast<BatchCode>(code);
  reply.session = LoadLittle<uint64_t>(bytes.data() + kSessionAt);
  reply.seq = LoadLittle<uint64_t>(bytes.data() + kSeqAt);
  reply.log_time_ms = LoadLittle<int64_t>(bytes.data() + kLogTimeAt);
  auto results = LoadLittle<uint32_t>(bytes.data() + kResultsAt);

  StrictReader in(bytes.substr(kHeadBytes));
  if (reply.code == BatchCode::kGap) reply.last = in.Varint();
  if (reply.code == BatchCode::kNotLeader) reply.hint = in.LengthPrefixed();
  if (reply.code != BatchCode::kExecuted && results != 0)
    return Malformed("a refusal with results");
  if (results > in.rest().size() / kMinResultBytes) return Malformed("more results than bytes");
  reply.results.reserve(results);
  for (uint32_t i = 0; i < results; ++i) {
    if (!ReadResult(in, &reply.results.emplace_back())) {
      return Malformed(fmt::format("result {} is malformed", i));
    }
  }
  if (!in.done()) return Malformed("bytes are left over");
  return reply;
}

}  // namespace kdb::wire

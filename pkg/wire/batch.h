// What proxies send to shards and shards answer: ordered batches of ops, encoded flat so that the
// same bytes go from the proxy through the raft log to apply without being copied or re-encoded.
// FORMAT.md has the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"

namespace kdb::wire {

// Commands carry their arguments as views into the encoded batch.
using CommandArgs = std::vector<std::string_view>;

enum class OpKind : uint8_t { kSingle = 0, kMulti = 1, kScript = 2 };

struct Watch {
  std::string_view key = {};
  uint64_t rev = 0;
};

// Ops of one client command (or, later, of one MULTI).
struct Op {
  OpKind kind = OpKind::kSingle;
  uint8_t resp_version = 2;
  // The batch was formed after all earlier answers were in: lifts a `frozen` (design 4).
  bool resume = false;
  // A read that rides the log: answer by_index when the reply exceeds 4 KiB.
  bool bounded_reply = false;
  bool no_room = false;      // for it: the leader took its commands out, and apply answers -OOM
  int64_t not_after_ms = 0;  // in log time: apply answers `late` beyond it; 0: no deadline
  absl::InlinedVector<uint16_t, 4> slots;
  std::vector<Watch> watches;
  absl::InlinedVector<CommandArgs, 1> commands;  // none is empty
};

// The head of a write batch; session 0 is no session: executed without deduplication (never for
// writes).
struct BatchHeader {
  uint64_t session = 0;
  uint64_t seq = 0;        // 1, 2, 3... within the session
  uint64_t ack_below = 0;  // replies of batches below it are not needed any more
};

struct Batch {
  BatchHeader header;
  std::vector<Op> ops;
};

// Builds a batch in place; reusable. Not thread-safe.
class BatchBuilder {
 public:
  // Drops what was added. Not needed on a new builder nor after Finish.
  void Start();
  void AddOp(const Op& op);
  size_t ops() const { return ops_; }
  size_t bytes() const { return body_.size(); }
  // The encoded batch. The builder is empty afterwards.
  std::string Finish(const BatchHeader& header);

 private:
  std::string body_;
  size_t ops_ = 0;
};

// INVALID_ARGUMENT on anything BatchBuilder does not write. Views point into `bytes`.
absl::StatusOr<Batch> DecodeBatch(std::string_view bytes);
// The head alone, cheaply.
absl::StatusOr<BatchHeader> DecodeBatchHeader(std::string_view bytes);

enum class ResultCode : uint8_t {
  kReply = 0,     // reply: RESP bytes in the op's version
  kMoved = 1,     // gid, epoch: the slot belongs to that group
  kNotOwner = 2,  // epoch: neither owner nor forwarding; park and refresh
  kFrozen = 3,    // the slot is being handed over: park, then resume
  kLate = 4,      // after not_after: not executed, and never will be
  kByIndex =
      5,  // a read that was not done: too large to be logged, or its read batch is full. Read again
  kFailed = 6,  // not executed; reply: a RESP error (the disk is full, the op is malformed)
};

struct Result {
  ResultCode code = ResultCode::kReply;
  std::string_view reply = {};
  uint64_t gid = 0;
  uint64_t epoch = 0;
  std::string_view addresses = {};  // comma-separated, of kMoved's group where known
};

// What became of a batch as a whole.
enum class BatchCode : uint8_t {
  kExecuted = 0,   // results, one per op
  kGap = 1,        // last: the last batch executed; this one was not
  kExpired = 2,    // the session is unknown: if this batch was sent before, its outcome is unknown
  kBusy = 3,       // refused before the log: send again later
  kNotLeader = 4,  // hint: the leader's address, or empty. Refused before the log
  kTrimmed = 5,    // executed before, its replies are gone (acknowledged by ack_below)
  kMalformed = 6,  // not a batch that this release understands: nothing of it was executed
  kDiskFull = 7,   // refused before the log: its ops are answered -OOM, its number is not used
};

struct BatchReply {
  uint64_t session = 0;
  uint64_t seq = 0;  // of the batch; a read batch: its id
  BatchCode code = BatchCode::kExecuted;
  uint64_t last = 0;           // kGap
  int64_t log_time_ms = 0;     // when the answer was made, in the group's log time
  std::string_view hint = {};  // kNotLeader
  std::vector<Result> results = {};
};

class BatchReplyBuilder {
 public:
  // kExecuted with results to be added.
  void Start(uint64_t session, uint64_t seq, int64_t log_time_ms);
  void AddResult(const Result& result);
  size_t bytes() const { return body_.size(); }
  std::string Finish();
  // A reply without results.
  static std::string Refusal(const BatchReply& reply);

 private:
  BatchReply head_;
  std::string body_;
  size_t results_ = 0;
};

absl::StatusOr<BatchReply> DecodeBatchReply(std::string_view bytes);

}  // namespace kdb::wire

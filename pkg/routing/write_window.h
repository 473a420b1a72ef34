// The numbered write batches of one session that have no definite outcome yet (design 4, sessions).
//
// What makes a retry safe: a number, once it may be in some leader's log, always stands for the
// same bytes. Only while every send of a batch was refused before the log may its bytes be made
// anew.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pkg/routing/shard_op.h"
#include "pkg/wire/batch.h"

namespace kdb::routing {

struct WriteBatch {
  uint64_t seq = 0;
  std::string bytes;  // empty: to be encoded before it is sent
  std::vector<OpPtr> ops;
  bool outstanding = false;  // sent on the present link, not answered
  uint32_t doubts = 0;       // sends that may have reached a log and whose fate is not known

  // Whether an earlier send than the one now being answered may have been executed.
  bool doubtful_before() const { return doubts > (outstanding ? 1u : 0u); }
};

// Encodes batches, one after the other.
class OpEncoder {
 public:
  // With not_after in log time, which is `log_now_ms` at `now`; 0: unknown, no not_after.
  void Add(const ShardOp& op, int64_t log_now_ms, Clock::Duration now, bool resume);
  // The batch of what was added since the last.
  std::string Finish(const wire::BatchHeader& header) { return builder_.Finish(header); }

 private:
  wire::BatchBuilder builder_;
  wire::Op scratch_;
};

class WriteWindow {
 public:
  // Starts a new session: numbers begin at 1. The window must be empty.
  void Reset(uint64_t session);
  uint64_t session() const { return session_; }

  bool empty() const { return batches_.empty(); }
  size_t size() const { return batches_.size(); }
  bool AnyOutstanding() const;
  // Some batch has to be sent again.
  bool AnyRefused() const;
  std::deque<std::unique_ptr<WriteBatch>>& batches() { return batches_; }

  // A batch with the next number and no ops.
  WriteBatch& Append();
  // Every batch below this number is answered.
  uint64_t ack_below() const { return batches_.empty() ? next_seq_ : batches_.front()->seq; }
  WriteBatch* Find(uint64_t seq);
  // Removes the batch, whose outcome is known.
  std::unique_ptr<WriteBatch> Take(uint64_t seq);

  static void NoteSent(WriteBatch& batch);
  // This send did not reach the log, or did nothing there.
  static void NoteRefused(WriteBatch& batch);
  // The link is gone: what is outstanding has an unknown fate.
  void NoteLinkLost();

 private:
  uint64_t session_ = 0;
  uint64_t next_seq_ = 1;
  std::deque<std::unique_ptr<WriteBatch>> batches_;  // by number; few
};

}  // namespace kdb::routing

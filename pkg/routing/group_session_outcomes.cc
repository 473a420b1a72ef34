// What the answers to a session's opening and to its write batches mean.
#include <algorithm>
#include <utility>

#include "pkg/routing/group_session.h"
#include "pkg/routing/router_errors.h"

namespace kdb::routing {

void GroupSession::OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms) {
  if (request_id != open_request_ || !opening_) return;
  opening_ = false;
  metrics_.sessions_opened.Increment();
  window_.Reset(session);
  log_time_.Note(log_time_ms, open_asked_at_, clock_.Monotonic());
  NoteAnswer();
  if (leaving_) LeaveWhenAnswered({});
}

void GroupSession::OnWriteReply(std::string_view batch_reply) {
  absl::StatusOr<wire::BatchReply> reply = wire::DecodeBatchReply(batch_reply);
  // Bytes that make no sense: another release, or damage. The stream is not to be trusted any
  // further.
  if (!reply.ok()) return leader_.Leave({});
  if (reply->session != window_.session()) return;
  WriteBatch* batch = window_.Find(reply->seq);
  if (batch == nullptr || !batch->outstanding) return;
  if (reply->code != wire::BatchCode::kNotLeader) leader_.Confirm();
  if (!batch->ops.empty())
    log_time_.Note(reply->log_time_ms, batch->ops.front()->sent, clock_.Monotonic());
  switch (reply->code) {
    case wire::BatchCode::kExecuted:
      OnExecuted(reply->seq, reply->results);
      break;
    case wire::BatchCode::kGap:
      OnGap(*batch, reply->last);
      break;
    case wire::BatchCode::kExpired:
      metrics_.sessions_expired.Increment();
      AbandonSession();
      break;
    case wire::BatchCode::kBusy:
      WriteWindow::NoteRefused(*batch);
      BackOff(kWrites);
      break;
    case wire::BatchCode::kNotLeader:
      WriteWindow::NoteRefused(*batch);
      leaving_ = true;
      break;
    case wire::BatchCode::kTrimmed:
      OnTrimmed(reply->seq);
      break;
    case wire::BatchCode::kMalformed:
      OnMalformed(reply->seq);
      break;
    case wire::BatchCode::kDiskFull:
      OnDiskFull(*batch);
      break;
  }
  NoteAnswer();
  if (leaving_) LeaveWhenAnswered(reply->hint);
}

void GroupSession::OnExecuted(uint64_t seq, const std::vector<wire::Result>& results) {
  refusals_ = 0;
  std::unique_ptr<WriteBatch> batch = window_.Take(seq);
  bool matches = results.size() == batch->ops.size();
  for (size_t i = 0; i < batch->ops.size(); ++i) {
    batch->ops[i]->batch = nullptr;
    if (matches) {
      NoteRefusedSlots(*batch->ops[i], results[i].code);
      events_.OnResult(std::move(batch->ops[i]), results[i]);
    } else {
      events_.OnOutcomeUnknown(std::move(batch->ops[i]));
    }
  }
}

void GroupSession::NoteRefusedSlots(const ShardOp& op, wire::ResultCode code) {
  bool refused = code == wire::ResultCode::kMoved || code == wire::ResultCode::kNotOwner ||
                 code == wire::ResultCode::kFrozen;
  if (!refused) return;
  for (shard::Slot slot : op.slots) refused_.set(slot);
}

void GroupSession::OnTrimmed(uint64_t seq) {
  std::unique_ptr<WriteBatch> batch = window_.Take(seq);
  wire::Result read_again;
  read_again.code = wire::ResultCode::kByIndex;
  for (OpPtr& op : batch->ops) {
    op->batch = nullptr;
    if (op->write) {
      events_.OnOutcomeUnknown(std::move(op));
    } else {
      // In its place: its client's later writes wait for it.
      events_.OnResult(std::move(op), read_again);
    }
  }
}

// Earlier numbers must go first; ResendRefused sends all from the first unresolved one. If the
// group forgot a number that it had answered, this session can never go on.
void GroupSession::OnGap(WriteBatch& batch, uint64_t last) {
  WriteWindow::NoteRefused(batch);
  if (last + 1 < window_.ack_below()) AbandonSession();
}

// The batch took its number in the log all the same (pkg/kv), so those behind it go on: they may
// have been executed by now, and must not be sent again under other numbers. Should the group not
// have used the number, it answers the next one with a gap.
void GroupSession::OnMalformed(uint64_t seq) {
  std::unique_ptr<WriteBatch> batch = window_.Take(seq);
  wire::Result failed;
  failed.code = wire::ResultCode::kFailed;
  failed.reply = kMalformedReply;
  for (OpPtr& op : batch->ops) {
    op->batch = nullptr;
    events_.OnResult(std::move(op), failed);
  }
}

// The numbers stay, and stand for the next ops when there is room. Answered is everything that is
// certain to be in no log; a batch that may be in one waits for its fate, and so does one that
// lifts a freeze: the ops behind it rely on that.
void GroupSession::OnDiskFull(WriteBatch& refused) {
  WriteWindow::NoteRefused(refused);
  for (const auto& batch : window_.batches()) {
    bool resumes = std::any_of(batch->ops.begin(), batch->ops.end(),
                               [](const OpPtr& op) { return op->after_freeze; });
    if (!batch->bytes.empty() || resumes) continue;
    for (OpPtr& op : std::exchange(batch->ops, {})) AnswerFull(std::move(op));
  }
  for (OpQueue waiting = std::move(writes_); !waiting.empty();) AnswerFull(waiting.PopFront());
  BackOff(kWrites);
}

void GroupSession::AnswerFull(OpPtr op) {
  op->batch = nullptr;
  wire::Result result;
  if (op->write) {
    result.code = wire::ResultCode::kFailed;
    result.reply = kDiskFullReply;
  } else {
    result.code = wire::ResultCode::kByIndex;
  }
  events_.OnResult(std::move(op), result);
}

// The session is gone for good: whatever was sent only after that is not executed and goes into a
// new one; the fate of what was sent before is unknown.
void GroupSession::AbandonSession() {
  std::vector<OpPtr> unknown, again;
  while (!window_.empty()) {
    std::unique_ptr<WriteBatch> batch = window_.Take(window_.ack_below());
    for (OpPtr& op : batch->ops) {
      op->batch = nullptr;
      bool doubtful = op->write && batch->doubtful_before();
      (doubtful ? unknown : again).push_back(std::move(op));
    }
  }
  window_.Reset(0);
  refused_.reset();
  Requeue(std::move(again));
  for (OpPtr& op : unknown) events_.OnOutcomeUnknown(std::move(op));
}

// Before what is queued.
void GroupSession::Requeue(std::vector<OpPtr> ops) {
  for (OpQueue* queue : {&resumed_, &writes_}) {
    while (!queue->empty()) ops.push_back(queue->PopFront());
  }
  std::vector<OpPtr> back;
  for (OpPtr& op : ops) {
    if (events_.MustWait(*op)) {
      back.push_back(std::move(op));
    } else {
      writes_.PushBack(std::move(op));
    }
  }
  // Only now: it may let go ops that belong behind all of these.
  for (OpPtr& op : back) events_.TakeBack(std::move(op));
}

}  // namespace kdb::routing

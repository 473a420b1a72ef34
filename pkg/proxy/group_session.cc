#include "pkg/proxy/group_session.h"

#include <algorithm>
#include <utility>

#include "pkg/proxy/router_errors.h"

namespace kdb::proxy {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr auto kMinBusyBackoff = milliseconds(2);
constexpr auto kMaxBusyBackoff = milliseconds(100);

}  // namespace

GroupSession::GroupSession(uint64_t gid, const GroupLimits& limits, ShardLinkFactory& links,
                           Executor& executor, const Clock& clock, uint64_t seed,
                           RouterMetrics& metrics, GroupEvents& events)
    : gid_(gid),
      limits_(limits),
      executor_(executor),
      clock_(clock),
      random_(seed),
      metrics_(metrics),
      events_(events),
      self_(std::make_shared<GroupSession*>(this)),
      reads_(limits.max_batch_ops, limits.max_batch_bytes),
      leader_(gid, links, executor, clock, random_.Next(), metrics, *this) {}

GroupSession::~GroupSession() { *self_ = nullptr; }

void GroupSession::SetMembers(std::vector<std::string> members, const std::string& leader) {
  leader_.SetMembers(std::move(members), leader);
}

void GroupSession::EnqueueWrite(OpPtr op) {
  writes_.PushBack(std::move(op));
  events_.OnFlushWanted();
}

void GroupSession::EnqueueRead(OpPtr op) {
  reads_.Add(std::move(op));
  events_.OnFlushWanted();
}

void GroupSession::HoldForResume() {
  holding_ = true;
  events_.OnFlushWanted();
}

bool GroupSession::idle() const {
  return window_.empty() && reads_.empty() && writes_.empty() && resumed_.empty();
}

void GroupSession::Close() {
  if (window_.session() == 0 || leader_.link() == nullptr || !window_.empty()) return;
  leader_.link()->CloseSession(window_.session());
  window_.Reset(0);
}

// --- Sending.

void GroupSession::Flush() {
  if (holding_ && window_.empty()) {
    holding_ = false;
    // What is queued behind ops that were refused goes back to its place behind them.
    Requeue({});
    events_.OnReadyToResume(gid_);
  }
  if (idle()) return;
  if (leader_.link() == nullptr) return leader_.Want();
  if (leaving_) return;
  if (!backing_off_[kReads]) SendReads();
  if (!backing_off_[kWrites]) SendWrites();
}

void GroupSession::SendReads() {
  for (ReadBatch& batch : reads_.in_flight()) {
    if (!batch.outstanding) SendReadBatch(batch);
  }
  while (reads_.in_flight().size() < limits_.max_in_flight) {
    bool idle = reads_.in_flight().empty();
    if (!idle && !WorthABatch(reads_.waiting(), reads_.in_flight().back().ops.size())) return;
    ReadBatch* batch = reads_.Next();
    if (batch == nullptr) return;
    metrics_.read_batches.Increment();
    metrics_.ops_per_read_batch.Observe(static_cast<double>(batch->ops.size()));
    SendReadBatch(*batch);
  }
}

void GroupSession::SendReadBatch(ReadBatch& batch) {
  DropAnswered(batch.ops);
  Clock::Duration now = clock_.Monotonic();
  int64_t log_now = LogNow(now);
  for (const OpPtr& op : batch.ops) {
    if (op->sent == Clock::Duration::zero()) op->sent = now;
    encoder_.Add(*op, log_now, now, /*resume=*/false);
  }
  batch.outstanding = true;
  leader_.link()->SendRead(batch.id, encoder_.Finish({}));
  leader_.Expect();
}

void GroupSession::SendWrites() {
  if (window_.session() == 0) {
    if (opening_ || (writes_.empty() && resumed_.empty())) return;
    opening_ = true;
    open_asked_at_ = clock_.Monotonic();
    leader_.link()->OpenSession(++open_request_);
    return leader_.Expect();
  }
  if (window_.AnyRefused()) return ResendRefused();
  while (window_.size() < limits_.max_in_flight && !holding_ &&
         !(writes_.empty() && resumed_.empty())) {
    size_t waiting = writes_.size() + resumed_.size();
    if (!window_.empty() && !WorthABatch(waiting, window_.batches().back()->ops.size())) return;
    FormBatch();
  }
}

// In order, and only when no answer is due: else the answer to an earlier send might be taken for
// that of a later one.
void GroupSession::ResendRefused() {
  if (window_.AnyOutstanding()) return;
  // A batch that a full disk emptied takes new ops, unless older ones wait in a later batch: then
  // it goes empty.
  const WriteBatch* last_full = nullptr;
  for (const auto& batch : window_.batches()) {
    if (!batch->ops.empty()) last_full = batch.get();
  }
  bool takes_new = last_full == nullptr;
  for (const auto& batch : window_.batches()) {
    metrics_.batches_resent.Increment();
    if (batch->bytes.empty()) {
      DropAnswered(batch->ops);
      if (takes_new && !holding_) Fill(*batch, NextOps());
      Encode(*batch, /*resume=*/batch == window_.batches().front());
    }
    Send(*batch);
    takes_new |= batch.get() == last_full;
  }
}

OpPtr GroupSession::NextWrite() {
  OpQueue& queue = resumed_.empty() ? writes_ : resumed_;
  return queue.PopFront();
}

void GroupSession::FormBatch() {
  bool first = window_.empty();
  std::vector<OpPtr> ops = NextOps();
  if (ops.empty()) return;
  WriteBatch& batch = window_.Append();
  Fill(batch, std::move(ops));
  Encode(batch, /*resume=*/first);
  Send(batch);
}

// Of the queues, what fits into one batch.
std::vector<OpPtr> GroupSession::NextOps() {
  std::vector<OpPtr> ops, back;
  size_t bytes = 0;
  while (ops.size() < limits_.max_batch_ops && !(writes_.empty() && resumed_.empty())) {
    ShardOp& next = resumed_.empty() ? writes_.front() : resumed_.front();
    if (!ops.empty() && bytes + next.args.bytes() > limits_.max_batch_bytes) break;
    OpPtr op = NextWrite();
    if (op->answered) {
      events_.OnDropped(std::move(op));
    } else if (events_.MustWait(*op)) {
      back.push_back(std::move(op));
    } else {
      bytes += op->args.bytes();
      ops.push_back(std::move(op));
    }
  }
  for (OpPtr& op : back) events_.TakeBack(std::move(op));
  return ops;
}

void GroupSession::Fill(WriteBatch& batch, std::vector<OpPtr> ops) {
  metrics_.write_batches.Increment();
  metrics_.ops_per_write_batch.Observe(static_cast<double>(ops.size()));
  for (const OpPtr& op : ops) op->batch = &batch;
  batch.ops = std::move(ops);
}

// `resume`: all earlier batches are answered, so that ops of slots of which some were refused may
// go again (design 4).
void GroupSession::Encode(WriteBatch& batch, bool resume) {
  Clock::Duration now = clock_.Monotonic();
  int64_t log_now = LogNow(now);
  for (const OpPtr& op : batch.ops) {
    if (op->sent == Clock::Duration::zero()) op->sent = now;
    encoder_.Add(*op, log_now, now, resume && Resumes(*op));
  }
  wire::BatchHeader header;
  header.session = window_.session();
  header.seq = batch.seq;
  header.ack_below = window_.ack_below();
  batch.bytes = encoder_.Finish(header);
}

// The group refuses a session's ops of a slot from the first refusal to the first op that resumes.
bool GroupSession::Resumes(const ShardOp& op) {
  if (events_.MustWait(op)) return false;
  bool resumes = false;
  for (shard::Slot slot : op.slots) {
    resumes |= refused_[slot];
    refused_.reset(slot);
  }
  return resumes;
}

void GroupSession::NoteRefusedSlots(const ShardOp& op, wire::ResultCode code) {
  bool refused = code == wire::ResultCode::kMoved || code == wire::ResultCode::kNotOwner ||
                 code == wire::ResultCode::kFrozen;
  if (!refused) return;
  for (shard::Slot slot : op.slots) refused_.set(slot);
}

void GroupSession::Send(WriteBatch& batch) {
  WriteWindow::NoteSent(batch);
  leader_.link()->SendWrite(batch.bytes);
  leader_.Expect();
}

void GroupSession::DropAnswered(std::vector<OpPtr>& ops) {
  auto answered =
      std::stable_partition(ops.begin(), ops.end(), [](const OpPtr& op) { return !op->answered; });
  std::vector<OpPtr> dropped(std::make_move_iterator(answered), std::make_move_iterator(ops.end()));
  ops.erase(answered, ops.end());
  for (OpPtr& op : dropped) events_.OnDropped(std::move(op));
}

// --- The link.

void GroupSession::OnLinkUp() {
  leaving_ = false;
  opening_ = false;
  backing_off_ = {};
  Flush();
}

void GroupSession::OnLinkLost() {
  leaving_ = false;
  opening_ = false;
  leave_hint_.clear();
  window_.NoteLinkLost();
  reads_.NoteLinkLost();
}

bool GroupSession::AnyOutstanding() const {
  return opening_ || window_.AnyOutstanding() || reads_.AnyOutstanding();
}

void GroupSession::NoteAnswer() {
  leader_.Answered(AnyOutstanding());
  events_.OnFlushWanted();
}

// What is cut off without an answer has an unknown fate; a member that does not lead answers the
// rest at once.
void GroupSession::LeaveWhenAnswered(std::string_view hint) {
  leaving_ = true;
  if (!hint.empty()) leave_hint_ = hint;
  if (AnyOutstanding()) return;
  leader_.Leave(std::string(leave_hint_));
}

void GroupSession::BackOff(Lane lane) {
  if (std::exchange(backing_off_[lane], true)) return;
  Clock::Duration full =
      std::min(kMinBusyBackoff * (1 << std::min(refusals_++, 10)), kMaxBusyBackoff);
  auto jitter = Clock::Duration(random_.Uniform(static_cast<uint64_t>(full.count())));
  executor_.PostAfter(full / 2 + jitter, [self = self_, lane] {
    if (*self == nullptr) return;
    (*self)->backing_off_[lane] = false;
    (*self)->Flush();
  });
}

// The answer was made between `asked_at` and now: log time is at least what it says, and at most
// that and the time since `asked_at`. An answer may be old: it waited in a socket, or it is the
// stored one of a batch that was sent again.
void GroupSession::NoteLogTime(int64_t answered_ms, Clock::Duration asked_at) {
  if (answered_ms == 0) return;
  Clock::Duration now = clock_.Monotonic();
  int64_t least = answered_ms;
  int64_t most = answered_ms + duration_cast<milliseconds>(now - asked_at).count() + 1;
  log_time_ms_ = std::clamp(LogNow(now), least, most);
  log_time_at_ = now;
}

int64_t GroupSession::LogNow(Clock::Duration now) const {
  if (log_time_ms_ == 0) return 0;
  return log_time_ms_ + duration_cast<milliseconds>(now - log_time_at_).count();
}

// --- Answers.

void GroupSession::OnSessionOpened(uint64_t request_id, uint64_t session, int64_t log_time_ms) {
  if (request_id != open_request_ || !opening_) return;
  opening_ = false;
  metrics_.sessions_opened.Increment();
  window_.Reset(session);
  NoteLogTime(log_time_ms, open_asked_at_);
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
  if (!batch->ops.empty()) NoteLogTime(reply->log_time_ms, batch->ops.front()->sent);
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

void GroupSession::OnReadReply(std::string_view batch_reply) {
  absl::StatusOr<wire::BatchReply> reply = wire::DecodeBatchReply(batch_reply);
  if (!reply.ok()) return leader_.Leave({});
  ReadBatch batch = reads_.Take(reply->seq);
  if (batch.id == 0) return;
  batch.outstanding = false;
  bool executed =
      reply->code == wire::BatchCode::kExecuted && reply->results.size() == batch.ops.size();
  if (executed) {
    leader_.Confirm();
    refusals_ = 0;
    if (!batch.ops.empty()) NoteLogTime(reply->log_time_ms, batch.ops.front()->sent);
    for (size_t i = 0; i < batch.ops.size(); ++i) {
      events_.OnResult(std::move(batch.ops[i]), reply->results[i]);
    }
  } else {
    reads_.in_flight().push_front(std::move(batch));
    if (reply->code == wire::BatchCode::kNotLeader) {
      leaving_ = true;
    } else {
      BackOff(kReads);
    }
  }
  NoteAnswer();
  if (leaving_) LeaveWhenAnswered(reply->hint);
}

}  // namespace kdb::proxy

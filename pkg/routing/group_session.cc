#include "pkg/routing/group_session.h"

#include <algorithm>
#include <utility>

namespace kdb::routing {
namespace {

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
  int64_t log_now = log_time_.At(now);
  for (const OpPtr& op : batch.ops) {
    if (op->sent == Clock::Duration::zero()) op->sent = now;
    encoder_.Add(*op, log_now, now, /*resume=*/false);
  }
  batch.outstanding = true;
  leader_.link()->SendRead(batch.id, encoder_.Finish({}));
  leader_.Expect();
}

void GroupSession::DropAnswered(std::vector<OpPtr>& ops) {
  auto answered =
      std::stable_partition(ops.begin(), ops.end(), [](const OpPtr& op) { return !op->answered; });
  std::vector<OpPtr> dropped(std::make_move_iterator(answered), std::make_move_iterator(ops.end()));
  ops.erase(answered, ops.end());
  for (OpPtr& op : dropped) events_.OnDropped(std::move(op));
}

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

void GroupSession::BackOff(Direction direction) {
  if (std::exchange(backing_off_[direction], true)) return;
  Clock::Duration full =
      std::min(kMinBusyBackoff * (1 << std::min(refusals_++, 10)), kMaxBusyBackoff);
  auto jitter = Clock::Duration(random_.Uniform(static_cast<uint64_t>(full.count())));
  executor_.PostAfter(full / 2 + jitter, [self = self_, direction] {
    if (*self == nullptr) return;
    (*self)->backing_off_[direction] = false;
    (*self)->Flush();
  });
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
    if (!batch.ops.empty())
      log_time_.Note(reply->log_time_ms, batch.ops.front()->sent, clock_.Monotonic());
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

}  // namespace kdb::routing

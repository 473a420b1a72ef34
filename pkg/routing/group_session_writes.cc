// How write batches are made and sent.
#include <utility>

#include "pkg/routing/group_session.h"

namespace kdb::routing {

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

OpPtr GroupSession::NextWrite() {
  OpQueue& queue = resumed_.empty() ? writes_ : resumed_;
  return queue.PopFront();
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
  int64_t log_now = log_time_.At(now);
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

void GroupSession::Send(WriteBatch& batch) {
  WriteWindow::NoteSent(batch);
  leader_.link()->SendWrite(batch.bytes);
  leader_.Expect();
}

}  // namespace kdb::routing

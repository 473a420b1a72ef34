#include "pkg/routing/write_window.h"

#include <algorithm>

#include "pkg/base/check.h"

namespace kdb::routing {

void OpEncoder::Add(const ShardOp& op, int64_t log_now_ms, Clock::Duration now, bool resume) {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  scratch_.resp_version = op.resp_version;
  scratch_.resume = resume;
  scratch_.bounded_reply = op.rides;
  scratch_.slots.assign(op.slots.begin(), op.slots.end());
  if (scratch_.commands.empty()) scratch_.commands.emplace_back();
  op.args.Views(&scratch_.commands.front());
  // The estimate of log time lags behind it, so not_after is never later than the deadline. It is
  // at least 1: 0 means none.
  int64_t left_ms = duration_cast<milliseconds>(op.deadline - now).count();
  scratch_.not_after_ms = log_now_ms == 0 ? 0 : std::max<int64_t>(1, log_now_ms + left_ms);
  builder_.AddOp(scratch_);
}

void WriteWindow::Reset(uint64_t session) {
  KDB_CHECK(batches_.empty(), "a session is replaced with batches unresolved");
  session_ = session;
  next_seq_ = 1;
}

bool WriteWindow::AnyOutstanding() const {
  return std::any_of(batches_.begin(), batches_.end(),
                     [](const auto& batch) { return batch->outstanding; });
}

bool WriteWindow::AnyRefused() const {
  return std::any_of(batches_.begin(), batches_.end(),
                     [](const auto& batch) { return !batch->outstanding; });
}

WriteBatch& WriteWindow::Append() {
  auto batch = std::make_unique<WriteBatch>();
  batch->seq = next_seq_++;
  return *batches_.emplace_back(std::move(batch));
}

WriteBatch* WriteWindow::Find(uint64_t seq) {
  for (const auto& batch : batches_) {
    if (batch->seq == seq) return batch.get();
  }
  return nullptr;
}

std::unique_ptr<WriteBatch> WriteWindow::Take(uint64_t seq) {
  for (auto it = batches_.begin(); it != batches_.end(); ++it) {
    if ((*it)->seq != seq) continue;
    std::unique_ptr<WriteBatch> batch = std::move(*it);
    batches_.erase(it);
    return batch;
  }
  return nullptr;
}

void WriteWindow::NoteSent(WriteBatch& batch) {
  batch.outstanding = true;
  ++batch.doubts;
}

void WriteWindow::NoteRefused(WriteBatch& batch) {
  if (!batch.outstanding) return;
  batch.outstanding = false;
  --batch.doubts;
  if (batch.doubts == 0) batch.bytes.clear();
}

void WriteWindow::NoteLinkLost() {
  for (const auto& batch : batches_) batch->outstanding = false;
}

}  // namespace kdb::routing

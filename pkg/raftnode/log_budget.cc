#include "pkg/raftnode/log_budget.h"

#include <algorithm>

namespace kdb::raftnode {

LogBudget::LogBudget(const Options& options, raft::Index first, raft::Index last,
                     raft::Index persisted, Clock::Duration now)
    : options_(options),
      points_({{last, 0}}),
      applied_(persisted),
      flush_began_at_(persisted),
      last_flush_(now),
      cut_(first - 1) {}

void LogBudget::Appended(raft::Index last, size_t bytes) {
  // A truncation: points beyond it would name entries that are no more.
  while (!points_.empty() && points_.back().index > last) points_.pop_back();
  appended_ += bytes;
  if (points_.empty() || appended_ - points_.back().bytes >= kGranule)
    points_.push_back({last, appended_});
}

void LogBudget::Applied(raft::Index index, size_t bytes) {
  applied_ = index;
  unflushed_bytes_ += bytes;
}

bool LogBudget::ShouldFlush(Clock::Duration now) const {
  if (applied_ == flush_began_at_) return false;
  return unflushed_bytes_ >= options_.flush_bytes || now - last_flush_ >= options_.flush_interval;
}

void LogBudget::FlushBegan(Clock::Duration now) {
  flush_began_at_ = applied_;
  unflushed_bytes_ = 0;
  last_flush_ = now;
}

bool LogBudget::MayCut(const Point& point) const {
  const bool held = hold_ != 0 && point.index > hold_;
  const uint64_t keep =
      held ? std::max(options_.hold_bytes, options_.keep_bytes) : options_.keep_bytes;
  return appended_ - point.bytes >= keep;
}

raft::Index LogBudget::CutAfterFlush(raft::Index persisted) {
  raft::Index found = 0;
  while (!points_.empty() && points_.front().index <= persisted && MayCut(points_.front())) {
    found = points_.front().index;
    points_.pop_front();
  }
  if (found <= cut_) return 0;
  return cut_ = found;
}

}  // namespace kdb::raftnode

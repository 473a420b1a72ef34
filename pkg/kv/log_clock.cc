#include "pkg/kv/log_clock.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace kdb::kv {
namespace {

// A clock that was not heard of for so long is not counted. Answers come many times a second.
constexpr Clock::Duration kSampleLife = std::chrono::seconds(10);
// Behind by more than this: step. Within it: slew.
constexpr int64_t kStepUs = 1'000'000;
// Log time runs at most 1 per mille faster or slower than the monotonic clock while it is slewed.
constexpr int64_t kSlewDivisor = 1000;
// The bases move on in steps of at least this, so that the slew of one step is not rounded to
// nothing.
constexpr int64_t kRebaseUs = 1000;
// No wall clock is beyond the year 10000: a bound against overflow, not against lies.
constexpr int64_t kMaxWallMs = 253'402'300'800'000;

int64_t Us(Clock::Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

}  // namespace

void LogClock::Start(int64_t applied_ms, size_t voters) {
  voters_ = voters;
  voter_ids_.clear();
  samples_.clear();
  base_us_ = applied_ms * 1000;
  base_mono_us_ = MonotonicUs();
  last_ms_ = applied_ms;
}

void LogClock::SetVoters(const std::vector<uint64_t>& voters) {
  voters_ = voters.size();
  voter_ids_ = {voters.begin(), voters.end()};
}

void LogClock::OnPeerClock(uint64_t peer, int64_t wall_ms) {
  if (wall_ms <= 0 || wall_ms > kMaxWallMs) return;
  samples_[peer] = {wall_ms * 1000 - MonotonicUs(), clock_.Monotonic()};
}

bool LogClock::Synced() const {
  int64_t low, high;
  return MajorityOffsets(&low, &high);
}

int64_t LogClock::Now() {
  int64_t mono = MonotonicUs();
  int64_t elapsed = mono - base_mono_us_;
  if (elapsed >= kRebaseUs || last_ms_ == 0) {
    base_us_ += elapsed + Correction(mono, elapsed);
    base_mono_us_ = mono;
    elapsed = 0;
  }
  last_ms_ = std::max(last_ms_, (base_us_ + elapsed) / 1000);
  return last_ms_;
}

int64_t LogClock::Correction(int64_t mono_us, int64_t elapsed_us) const {
  int64_t low, high;
  if (!MajorityOffsets(&low, &high)) return 0;
  int64_t now = base_us_ + elapsed_us;
  int64_t slew = elapsed_us / kSlewDivisor;
  int64_t behind = mono_us + low - now;
  if (behind > kStepUs) return behind;
  if (behind > 0) return std::min(behind, slew);
  int64_t ahead = now - (mono_us + high);
  return ahead > 0 ? -std::min(ahead, slew) : 0;
}

int64_t LogClock::SkewMs() const {
  std::vector<int64_t> offsets = Offsets();
  int64_t median = offsets[(offsets.size() - 1) / 2];
  int64_t skew = std::max(median - offsets.front(), offsets.back() - median);
  return skew / 1000;
}

int64_t LogClock::MonotonicUs() const { return Us(clock_.Monotonic()); }

std::vector<int64_t> LogClock::Offsets() const {
  std::vector<int64_t> offsets;
  // Our own wall clock counts as one of the members'.
  int64_t wall_ms = std::clamp<int64_t>(clock_.WallMillis(), 0, kMaxWallMs);
  offsets.push_back(wall_ms * 1000 - MonotonicUs());
  for (const auto& [peer, sample] : samples_) {
    if (!voter_ids_.empty() && !voter_ids_.contains(peer)) continue;  // a learner
    if (clock_.Monotonic() - sample.taken <= kSampleLife) offsets.push_back(sample.offset_us);
  }
  std::sort(offsets.begin(), offsets.end());
  return offsets;
}

bool LogClock::MajorityOffsets(int64_t* low_us, int64_t* high_us) const {
  std::vector<int64_t> offsets = Offsets();
  size_t majority = voters_ / 2 + 1;
  if (offsets.size() < majority) return false;
  *low_us = offsets[offsets.size() - majority];
  *high_us = offsets[majority - 1];
  return true;
}

}  // namespace kdb::kv

// Metrics of the apply thread and of reads.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "pkg/kv/op_runner.h"
#include "pkg/kv/shard_state.h"
#include "pkg/obs/metrics.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {

inline constexpr size_t kBatchCodes = static_cast<size_t>(wire::BatchCode::kDiskFull) + 1;

// Of what one write holds: counted only once it has succeeded.
struct ApplyCounts {
  uint64_t entries = 0;
  uint64_t repeats = 0;
  std::array<uint64_t, kBatchCodes> batches = {};
  ResultCounts results = {};
};

// Thread-safe.
class ApplyMetrics {
 public:
  explicit ApplyMetrics(obs::Registry& registry);

  void OnExecuted(std::chrono::nanoseconds took);
  void OnWritten(const ApplyCounts& counts, const ShardStats& stats, std::chrono::nanoseconds took);
  void OnFailedWrite() { failed_writes_.Increment(); }
  void OnRead(const ResultCounts& results, std::chrono::nanoseconds took) const;
  void OnReadNeedsTick() const { read_ticks_.Increment(); }

 private:
  obs::Counter& entries_;
  obs::Counter& repeats_;
  obs::Counter& failed_writes_;
  obs::Counter& read_ticks_;
  obs::Histogram& apply_seconds_;
  obs::Histogram& write_seconds_;
  obs::Histogram& write_entries_;
  obs::Histogram& read_seconds_;
  obs::Gauge& keys_;
  obs::Gauge& sessions_;
  obs::Gauge& owned_slots_;
  obs::Gauge& log_time_;
  std::array<obs::Counter*, kBatchCodes> batches_;
  std::array<obs::Counter*, kResultCodes> ops_;
  std::array<obs::Counter*, kResultCodes> read_ops_;
};

}  // namespace kdb::kv

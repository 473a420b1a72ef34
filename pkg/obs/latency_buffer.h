// Latencies gathered by one thread and handed to a shared histogram now and then: a histogram of
// prometheus-cpp takes a mutex for each value.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <vector>

#include "pkg/obs/metrics.h"

namespace kdb::obs {

// Not thread-safe.
class LatencyBuffer {
 public:
  explicit LatencyBuffer(obs::Histogram& histogram) : histogram_(&histogram) {}

  void Observe(std::chrono::nanoseconds latency) {
    // The buckets of obs::Registry::AddLatency: 25 us and its doublings, each bound included.
    uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(latency.count(), 1));
    size_t bucket = std::bit_width((ns - 1) / 25000);
    ++counts_[std::min(bucket, counts_.size() - 1)];
    sum_seconds_ += static_cast<double>(ns) * 1e-9;
    any_ = true;
  }
  void Publish() {
    if (!any_) return;
    histogram_->ObserveMultiple(std::vector<double>(counts_.begin(), counts_.end()), sum_seconds_);
    counts_ = {};
    sum_seconds_ = 0;
    any_ = false;
  }

 private:
  obs::Histogram* histogram_;
  std::array<uint32_t, 22> counts_{};  // 21 bounds and infinity
  double sum_seconds_ = 0;
  bool any_ = false;
};

}  // namespace kdb::obs

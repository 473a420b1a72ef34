// Metrics by prometheus-cpp. Names begin with kdb_, units are base units (seconds, bytes), counters
// end in _total. metrics.txt lists every metric; a test compares it with what the code registers.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>

namespace kdb::obs {

using Labels = std::map<std::string, std::string>;
using Counter = prometheus::Counter;
using Gauge = prometheus::Gauge;
using Histogram = prometheus::Histogram;

// One per process or per simulated node. Thread-safe. References live as long as the registry;
// asking again for the same name and labels gives the same metric.
class Registry {
 public:
  Registry();
  Counter& AddCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // Seconds, in exponential buckets from 25 us to 26 s.
  Histogram& AddLatency(const std::string& name, const std::string& help,
                        const Labels& labels = {});
  // Sizes or counts, in powers of four from 1.
  Histogram& AddSizes(const std::string& name, const std::string& help, const Labels& labels = {});

  const std::shared_ptr<prometheus::Registry>& prometheus() const { return registry_; }

 private:
  // Shared: prometheus-cpp's exposer holds it too.
  std::shared_ptr<prometheus::Registry> registry_;
};

}  // namespace kdb::obs

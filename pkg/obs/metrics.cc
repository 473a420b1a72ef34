#include "pkg/obs/metrics.h"

namespace kdb::obs {
namespace {

prometheus::Histogram::BucketBoundaries Exponential(double first, double factor, int count) {
  prometheus::Histogram::BucketBoundaries bounds;
  for (double b = first; count > 0; b *= factor, --count) bounds.push_back(b);
  return bounds;
}

}  // namespace

Registry::Registry() : registry_(std::make_shared<prometheus::Registry>()) {}

Counter& Registry::AddCounter(const std::string& name, const std::string& help,
                              const Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(labels);
}

Gauge& Registry::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(labels);
}

Histogram& Registry::AddLatency(const std::string& name, const std::string& help,
                                const Labels& labels) {
  static const auto kBounds = Exponential(25e-6, 2, 21);
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels, kBounds);
}

Histogram& Registry::AddSizes(const std::string& name, const std::string& help,
                              const Labels& labels) {
  static const auto kBounds = Exponential(1, 4, 14);
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry_)
      .Add(labels, kBounds);
}

}  // namespace kdb::obs

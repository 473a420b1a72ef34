#include "pkg/kv/apply_metrics.h"

namespace kdb::kv {
namespace {

constexpr std::array<const char*, kBatchCodes> kBatchNames = {
    "executed", "gap", "expired", "busy", "not_leader", "trimmed", "malformed", "disk_full"};
constexpr std::array<const char*, kResultCodes> kResultNames = {
    "reply", "moved", "not_owner", "frozen", "late", "by_index", "failed"};

template <size_t N>
std::array<obs::Counter*, N> ByCode(obs::Registry& registry, const std::string& name,
                                    const std::string& help,
                                    const std::array<const char*, N>& codes) {
  std::array<obs::Counter*, N> counters{};
  for (size_t i = 0; i < N; ++i) {
    counters[i] = &registry.AddCounter(name, help, {{"code", codes[i]}});
  }
  return counters;
}

template <size_t N>
void Add(const std::array<obs::Counter*, N>& counters, const std::array<uint64_t, N>& counts) {
  for (size_t i = 0; i < N; ++i) {
    if (counts[i] > 0) counters[i]->Increment(static_cast<double>(counts[i]));
  }
}

double Seconds(std::chrono::nanoseconds d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

ApplyMetrics::ApplyMetrics(obs::Registry& registry)
    : entries_(registry.AddCounter("kdb_apply_entries_total", "Log entries applied")),
      repeats_(registry.AddCounter("kdb_apply_repeats_total",
                                   "Batches answered from the stored replies")),
      failed_writes_(registry.AddCounter("kdb_apply_failed_writes_total",
                                         "Writes of applied entries that the engine refused")),
      read_ticks_(registry.AddCounter("kdb_read_ticks_total",
                                      "Read batches that had to wait for a tick of log time")),
      apply_seconds_(
          registry.AddLatency("kdb_apply_seconds", "Executing the entries of one call, unwritten")),
      write_seconds_(registry.AddLatency("kdb_apply_write_seconds",
                                         "Writing what was executed to the engine")),
      write_entries_(registry.AddSizes("kdb_apply_write_entries",
                                       "Log entries whose effects one write to the engine holds")),
      read_seconds_(registry.AddLatency("kdb_read_seconds", "Executing one read batch")),
      keys_(registry.AddGauge("kdb_apply_keys", "Keys in the slots owned")),
      sessions_(registry.AddGauge("kdb_apply_sessions", "Sessions open")),
      owned_slots_(registry.AddGauge("kdb_apply_owned_slots", "Slots owned")),
      log_time_(registry.AddGauge("kdb_apply_log_time_seconds", "Log time applied, since 1970")),
      batches_(ByCode(registry, "kdb_apply_batches_total", "Batches applied", kBatchNames)),
      ops_(ByCode(registry, "kdb_apply_ops_total", "Ops applied, by result", kResultNames)),
      read_ops_(ByCode(registry, "kdb_read_ops_total", "Ops read, by result", kResultNames)) {}

void ApplyMetrics::OnExecuted(std::chrono::nanoseconds took) {
  apply_seconds_.Observe(Seconds(took));
}

void ApplyMetrics::OnWritten(const ApplyCounts& counts, const ShardStats& stats,
                             std::chrono::nanoseconds took) {
  entries_.Increment(static_cast<double>(counts.entries));
  if (counts.repeats > 0) repeats_.Increment(static_cast<double>(counts.repeats));
  Add(batches_, counts.batches);
  Add(ops_, counts.results);
  keys_.Set(static_cast<double>(stats.keys));
  sessions_.Set(static_cast<double>(stats.sessions));
  owned_slots_.Set(static_cast<double>(stats.owned_slots));
  log_time_.Set(static_cast<double>(stats.log_time_ms) / 1000);
  write_seconds_.Observe(Seconds(took));
  write_entries_.Observe(static_cast<double>(counts.entries));
}

void ApplyMetrics::OnRead(const ResultCounts& results, std::chrono::nanoseconds took) const {
  Add(read_ops_, results);
  read_seconds_.Observe(Seconds(took));
}

}  // namespace kdb::kv

#include "pkg/routing/router_metrics.h"

namespace kdb::routing {
namespace {

constexpr char kStage[] = "kdb_proxy_stage_duration_seconds";
constexpr char kStageHelp[] = "Time of a command in each stage: queue, network (until the answer)";
constexpr char kBatches[] = "kdb_proxy_batches_total";
constexpr char kBatchesHelp[] = "Batches sent to shard groups, resent ones not counted again";
constexpr char kOps[] = "kdb_proxy_batch_ops";
constexpr char kOpsHelp[] = "Ops per batch";
constexpr char kErrors[] = "kdb_proxy_errors_total";
constexpr char kErrorsHelp[] = "Commands that the proxy answered with an error of its own";
constexpr char kRefused[] = "kdb_proxy_ops_rerouted_total";
constexpr char kRefusedHelp[] = "Ops that a group did not execute because of who owns the slot";

}  // namespace

RouterMetrics::RouterMetrics(obs::Registry& registry)
    : write_batches(registry.AddCounter(kBatches, kBatchesHelp, {{"kind", "write"}})),
      read_batches(registry.AddCounter(kBatches, kBatchesHelp, {{"kind", "read"}})),
      ops_per_write_batch(registry.AddSizes(kOps, kOpsHelp, {{"kind", "write"}})),
      ops_per_read_batch(registry.AddSizes(kOps, kOpsHelp, {{"kind", "read"}})),
      batches_resent(registry.AddCounter("kdb_proxy_batches_resent_total",
                                         "Batches sent again under the same number")),
      sessions_opened(
          registry.AddCounter("kdb_proxy_sessions_opened_total", "Sessions opened at groups")),
      sessions_expired(registry.AddCounter("kdb_proxy_sessions_expired_total",
                                           "Sessions that a group did not know any more")),
      leader_changes(registry.AddCounter("kdb_proxy_leader_changes_total",
                                         "Times that a group was found under another leader")),
      connects(registry.AddCounter("kdb_proxy_shard_connects_total",
                                   "Command streams opened to members of shard groups")),
      answer_timeouts(registry.AddCounter(
          "kdb_proxy_answer_timeouts_total",
          "Members given up because they did not answer, though the connection stood")),
      timeouts(registry.AddCounter(kErrors, kErrorsHelp, {{"code", "timeout"}})),
      unknowns(registry.AddCounter(kErrors, kErrorsHelp, {{"code", "unknown"}})),
      moved(registry.AddCounter(kRefused, kRefusedHelp, {{"reason", "moved"}})),
      refused(registry.AddCounter(kRefused, kRefusedHelp, {{"reason", "refused"}})),
      queued_ops(registry.AddGauge("kdb_proxy_queued_ops", "Ops without an answer yet")),
      queued_bytes(registry.AddGauge("kdb_proxy_queued_bytes", "Memory of these ops")),
      parked_ops(registry.AddGauge("kdb_proxy_parked_ops",
                                   "Ops that wait because their slot has no owner to serve it")),
      queue_seconds(registry.AddLatency(kStage, kStageHelp, {{"stage", "queue"}})),
      network_seconds(registry.AddLatency(kStage, kStageHelp, {{"stage", "network"}})) {}

}  // namespace kdb::routing

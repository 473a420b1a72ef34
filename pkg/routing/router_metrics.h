// What a router counts; shared by the routers of one process.
#pragma once

#include "pkg/obs/metrics.h"

namespace kdb::routing {

struct RouterMetrics {
  explicit RouterMetrics(obs::Registry& registry);

  obs::Counter& write_batches;
  obs::Counter& read_batches;
  obs::Histogram& ops_per_write_batch;
  obs::Histogram& ops_per_read_batch;
  obs::Counter& batches_resent;
  obs::Counter& sessions_opened;
  obs::Counter& sessions_expired;
  obs::Counter& leader_changes;
  obs::Counter& connects;
  obs::Counter& answer_timeouts;
  obs::Counter& timeouts;
  obs::Counter& unknowns;
  obs::Counter& moved;
  obs::Counter& refused;
  obs::Gauge& queued_ops;
  obs::Gauge& queued_bytes;
  obs::Gauge& parked_ops;
  obs::Histogram& queue_seconds;
  obs::Histogram& network_seconds;
};

}  // namespace kdb::routing

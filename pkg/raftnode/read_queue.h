// Linearizable reads before their read point is known: all that arrive while a round of ReadIndex
// is under way share the next one (thesis 6.4).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "pkg/base/clock.h"
#include "pkg/raft/raft.h"
#include "pkg/raftnode/admission.h"
#include "pkg/raftnode/node_metrics.h"
#include "pkg/raftnode/raft_node.h"

namespace kdb::raftnode {

struct PendingRead {
  ReadDone done;
  Admission::Place place;
};

// Reads that may run once `index` is applied.
struct ReadBatch {
  raft::Index index = 0;
  std::vector<PendingRead> reads;
};

void FailReads(std::vector<PendingRead> reads, const absl::Status& status);

// Raft role only.
class ReadQueue {
 public:
  ReadQueue(const Clock& clock, const NodeMetrics& metrics) : clock_(clock), metrics_(metrics) {}

  void Add(std::vector<PendingRead> reads);
  // Begins a round if reads wait and none is under way. On a node that does not lead all that waits
  // fails.
  void StartRound(raft::Raft& raft);
  // The round's answer; nullopt when it is not ours (a round given up).
  std::optional<ReadBatch> Finish(const raft::ReadState& state);
  // The round ended without an answer: its reads join those that wait for the next.
  void RoundLost(uint64_t context);
  void FailAll(const absl::Status& status);

 private:
  const Clock& clock_;
  const NodeMetrics& metrics_;
  uint64_t context_ = 0;  // of the newest round
  bool under_way_ = false;
  Clock::Duration round_began_{0};
  std::vector<PendingRead> in_round_;
  std::vector<PendingRead> waiting_;
};

}  // namespace kdb::raftnode

#include "pkg/raftnode/read_queue.h"

#include <iterator>
#include <utility>

namespace kdb::raftnode {

void FailReads(std::vector<PendingRead> reads, const absl::Status& status) {
  for (PendingRead& read : reads) read.done(status);
}

void ReadQueue::Add(std::vector<PendingRead> reads) {
  std::move(reads.begin(), reads.end(), std::back_inserter(waiting_));
}

void ReadQueue::StartRound(raft::Raft& raft) {
  if (under_way_ || waiting_.empty()) return;
  // The core would forward to the leader; here a read belongs to the replica that leads.
  if (raft.role() != raft::Role::kLeader) {
    FailReads(std::exchange(waiting_, {}), absl::FailedPreconditionError("not leader"));
    return;
  }
  if (absl::Status s = raft.ReadIndex(context_ + 1); !s.ok()) {
    FailReads(std::exchange(waiting_, {}), s);
    return;
  }
  ++context_;
  under_way_ = true;
  round_began_ = clock_.Monotonic();
  in_round_ = std::exchange(waiting_, {});
  metrics_.reads_per_round.Observe(static_cast<double>(in_round_.size()));
}

std::optional<ReadBatch> ReadQueue::Finish(const raft::ReadState& state) {
  if (!under_way_ || state.context != context_) return std::nullopt;
  under_way_ = false;
  metrics_.read_index_seconds.Observe(Seconds(clock_.Monotonic() - round_began_));
  return ReadBatch{state.index, std::exchange(in_round_, {})};
}

void ReadQueue::RoundLost(uint64_t context) {
  if (!under_way_ || context != context_) return;
  under_way_ = false;
  Add(std::exchange(in_round_, {}));
}

void ReadQueue::FailAll(const absl::Status& status) {
  under_way_ = false;
  FailReads(std::exchange(in_round_, {}), status);
  FailReads(std::exchange(waiting_, {}), status);
}

}  // namespace kdb::raftnode

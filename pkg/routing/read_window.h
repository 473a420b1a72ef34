// Reads of one group on their way: the batch that takes more, those that are full, and those in
// flight. Reads change nothing: a batch is sent again, to any member, until it is answered.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "pkg/routing/shard_op.h"

namespace kdb::routing {

struct ReadBatch {
  uint64_t id = 0;
  std::vector<OpPtr> ops;
  size_t bytes = 0;
  bool outstanding = false;
};

class ReadWindow {
 public:
  ReadWindow(size_t max_ops, size_t max_bytes) : max_ops_(max_ops), max_bytes_(max_bytes) {}

  // The id of the batch that the next Add goes to.
  uint64_t forming() const { return forming_id_; }
  void Add(OpPtr op);

  bool empty() const { return in_flight_.empty() && ready_.empty() && forming_.ops.empty(); }
  // Ops that Next would move, or a whole batch's worth.
  size_t waiting() const { return ready_.empty() ? forming_.ops.size() : max_ops_; }
  std::deque<ReadBatch>& in_flight() { return in_flight_; }
  // Moves the next batch to in_flight(); nullptr when there is none.
  ReadBatch* Next();
  // The batch with this id, no longer in flight; no ops when it is not there.
  ReadBatch Take(uint64_t id);
  bool AnyOutstanding() const;
  void NoteLinkLost();

 private:
  void CloseForming();

  const size_t max_ops_;
  const size_t max_bytes_;
  uint64_t forming_id_ = 1;
  ReadBatch forming_;
  std::deque<ReadBatch> ready_;
  std::deque<ReadBatch> in_flight_;
};

}  // namespace kdb::routing

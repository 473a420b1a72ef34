// Live ops, the one that is due first in front.
#pragma once

#include "pkg/routing/shard_op.h"

namespace kdb::routing {

// Links ops that others own. Not thread-safe.
class DeadlineList {
 public:
  bool empty() const { return oldest_ == nullptr; }
  ShardOp* oldest() const { return oldest_; }

  // Constant time for ops that come in the order of their deadlines.
  void Insert(ShardOp& op) {
    ShardOp* before = newest_;
    while (before != nullptr && before->deadline > op.deadline) before = before->older;
    ShardOp* after = before == nullptr ? oldest_ : before->newer;
    op.older = before;
    op.newer = after;
    (before == nullptr ? oldest_ : before->newer) = &op;
    (after == nullptr ? newest_ : after->older) = &op;
  }
  void Remove(ShardOp& op) {
    (op.older == nullptr ? oldest_ : op.older->newer) = op.newer;
    (op.newer == nullptr ? newest_ : op.newer->older) = op.older;
    op.older = op.newer = nullptr;
  }

 private:
  ShardOp* oldest_ = nullptr;
  ShardOp* newest_ = nullptr;
};

}  // namespace kdb::routing

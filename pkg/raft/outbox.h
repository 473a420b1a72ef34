// Messages on their way into a Ready, split by whether they promise something that is not durable
// yet.
#pragma once

#include <utility>
#include <vector>

#include "pkg/raft/types.h"

namespace kdb::raft {

// Not thread-safe.
class Outbox {
 public:
  // `m` has from, to and term. A vote, a request for votes (its claim to a log and a term must
  // survive a crash, or votes for the longer log could elect the node after it lost the tail) and
  // the acknowledgement of an append wait until everything before them is durable.
  void Send(Message m);

  bool empty() const { return now_.empty() && later_.empty(); }
  std::vector<Message> TakeNow() { return std::exchange(now_, {}); }
  std::vector<Message> TakeAfterPersist() { return std::exchange(later_, {}); }

 private:
  std::vector<Message> now_;
  std::vector<Message> later_;
};

}  // namespace kdb::raft

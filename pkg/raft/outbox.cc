#include "pkg/raft/outbox.h"

#include <algorithm>

namespace kdb::raft {
namespace {

bool NeedsDurability(const Message& m) {
  switch (m.type) {
    case MessageType::kVote:
      return true;
    case MessageType::kVoteReply:
    case MessageType::kAppendReply:
      return !m.reject;  // a refusal promises nothing
    default:
      return false;
  }
}

}  // namespace

void Outbox::Send(Message m) {
  if (!NeedsDurability(m)) {
    now_.push_back(std::move(m));
    return;
  }
  // One sync makes many pipelined appends durable: the last acknowledgement says it all.
  if (m.type == MessageType::kAppendReply && !later_.empty()) {
    Message& last = later_.back();
    if (last.type == m.type && last.to == m.to && last.term == m.term) {
      last.index = std::max(last.index, m.index);
      return;
    }
  }
  later_.push_back(std::move(m));
}

}  // namespace kdb::raft

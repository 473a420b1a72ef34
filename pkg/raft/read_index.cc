#include "pkg/raft/read_index.h"

#include <algorithm>
#include <utility>

namespace kdb::raft {

void ReadRounds::StartRound(Index commit) {
  rounds_.push_back({++round_, commit, std::exchange(waiting_, {})});
}

std::vector<ReadRounds::Confirmed> ReadRounds::Confirm(uint64_t round) {
  std::vector<Confirmed> out;
  confirmed_ = std::max(confirmed_, std::min(round, round_));
  for (; !rounds_.empty() && rounds_.front().round <= confirmed_; rounds_.pop_front()) {
    for (const ReadRequest& r : rounds_.front().requests) out.push_back({r, rounds_.front().index});
  }
  return out;
}

std::vector<ReadRequest> ReadRounds::TakeAll() {
  std::vector<ReadRequest> out;
  for (const Round& r : rounds_) out.insert(out.end(), r.requests.begin(), r.requests.end());
  out.insert(out.end(), waiting_.begin(), waiting_.end());
  *this = {};
  return out;
}

void ForwardedReads::MoveTo(std::vector<uint64_t>& from, std::vector<uint64_t>* to) {
  to->insert(to->end(), from.begin(), from.end());
  from.clear();
}

uint64_t ForwardedReads::Send(uint64_t deadline) {
  sent_.push_back({next_id_++, deadline, std::exchange(waiting_, {})});
  return sent_.back().id;
}

std::vector<uint64_t> ForwardedReads::Answer(uint64_t id) {
  auto answered =
      std::find_if(sent_.begin(), sent_.end(), [id](const Group& g) { return g.id == id; });
  std::vector<uint64_t> out;
  if (answered == sent_.end()) return out;
  for (;;) {
    bool last = sent_.front().id == id;
    MoveTo(sent_.front().contexts, &out);
    sent_.pop_front();
    if (last) return out;
  }
}

std::vector<uint64_t> ForwardedReads::Expire(uint64_t now) {
  std::vector<uint64_t> out;
  for (; !sent_.empty() && sent_.front().deadline <= now; sent_.pop_front()) {
    MoveTo(sent_.front().contexts, &out);
  }
  return out;
}

std::vector<uint64_t> ForwardedReads::TakeAll() {
  std::vector<uint64_t> out;
  for (Group& g : sent_) MoveTo(g.contexts, &out);
  sent_.clear();
  MoveTo(waiting_, &out);
  return out;
}

}  // namespace kdb::raft

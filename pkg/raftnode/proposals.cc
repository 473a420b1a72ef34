#include "pkg/raftnode/proposals.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/check.h"

namespace kdb::raftnode {
namespace {

void Abort(Waiter& waiter, std::string_view why) {
  waiter.done(absl::AbortedError(
      fmt::format("outcome of the proposal at index {} in term {} is unknown: {}", waiter.index,
                  waiter.term, why)));
}

}  // namespace

void Proposals::Add(raft::Index index, raft::Term term, Proposal proposal) {
  KDB_CHECK(waiters_.empty() || waiters_.back().index < index, "{} after {}", index,
            waiters_.back().index);
  waiters_.push_back(
      {index, term, std::move(proposal.done), proposal.at, std::move(proposal.place)});
}

std::optional<Waiter> Proposals::Take(raft::Index index, raft::Term term) {
  while (!waiters_.empty() && waiters_.front().index <= index) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    if (waiter.index == index && waiter.term == term) return waiter;
    Abort(waiter, "another leader's entry took its place");
  }
  return std::nullopt;
}

size_t Proposals::AbortExcept(raft::Term term, std::string_view why) {
  size_t aborted = 0;
  // Terms ascend with the index.
  for (; !waiters_.empty() && (term == kNoTerm || waiters_.front().term != term); ++aborted) {
    Waiter waiter = std::move(waiters_.front());
    waiters_.pop_front();
    Abort(waiter, why);
  }
  return aborted;
}

}  // namespace kdb::raftnode

#include "pkg/raftnode/committed_feed.h"

#include <optional>
#include <utility>

#include "pkg/base/check.h"

namespace kdb::raftnode {

void CommittedFeed::Add(std::vector<raft::Entry> committed) {
  if (committed.empty()) return;
  KDB_CHECK(committed.front().index == handed_ + 1, "committed {} after {}",
            committed.front().index, handed_);
  std::vector<CommittedEntry> out;
  std::vector<Waiter> waiters;
  out.reserve(committed.size());
  size_t bytes = 0;
  Clock::Duration now = parts_.clock.Monotonic();
  for (raft::Entry& e : committed) {
    bytes += raft::EntryBytes(e);
    if (std::optional<Waiter> waiter = parts_.proposals.Take(e.index, e.term)) {
      parts_.metrics.commit_seconds.Observe(Seconds(now - waiter->at));
      waiters.push_back(*std::move(waiter));
    }
    out.push_back(Convert(std::move(e)));
  }
  handed_ = out.back().entry.index;
  parts_.maintenance.Applied(handed_, bytes);
  parts_.applier.Submit(std::move(out), std::move(waiters));
}

CommittedEntry CommittedFeed::Convert(raft::Entry entry) {
  CommittedEntry out{std::move(entry), nullptr};
  raft::ConfChange change;
  // Undecodable bytes change nothing, here as on every other replica.
  if (out.entry.type == raft::EntryType::kConfChange &&
      raft::DecodeConfChange(out.entry.data.view(), &change)) {
    const raft::ConfState after = parts_.raft.ApplyConfChange(change);
    membership_ = std::make_shared<const Membership>(
        AfterChange(*membership_, change, after, out.entry.index));
    out.membership = membership_;
    parts_.observer.OnMembership(*membership_);
  }
  return out;
}

}  // namespace kdb::raftnode

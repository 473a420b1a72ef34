#include <algorithm>

#include "pkg/base/random.h"
#include "pkg/base/status.h"
#include "pkg/kv/op_runner.h"
#include "pkg/kv/shard_state_impl.h"

namespace kdb::kv {
namespace {

// Replies of a read batch beyond this are left for another: what is read at once is bounded by it
// and one reply.
constexpr size_t kMaxReadReplyBytes = 32 << 20;

absl::Status RunAll(const wire::Batch& batch, OpRunner& runner, const SnapshotCounts& keys,
                    wire::BatchReplyBuilder& results) {
  for (const wire::Op& op : batch.ops) {
    if (results.bytes() >= kMaxReadReplyBytes) {
      results.AddResult({.code = wire::ResultCode::kByIndex});
    } else {
      KDB_RETURN_IF_ERROR(runner.Run(op, SIZE_MAX, results));
    }
  }
  return keys.status();
}

}  // namespace

ShardStateImpl::OwnershipView ShardStateImpl::PublishedOwnership() const {
  MutexLock lock(mu_);
  return ownership_;
}

// Ownership must be that of the snapshot, or a read would be answered from a slot that was handed
// over (design 5). The apply thread unpublishes the ownership before a write that changes it and
// publishes the new one after: when the same one is published before and after the snapshot is
// taken, no such write fell in between. Otherwise the snapshot's own records tell.
absl::StatusOr<ShardStateImpl::View> ShardStateImpl::NewView() const {
  View view;
  view.ownership = PublishedOwnership();
  view.snapshot = engine_.NewSnapshot();
  view.committed_log_time_ms = committed_log_time_ms_;  // after the snapshot: not below its
  if (view.ownership == nullptr || view.ownership != PublishedOwnership()) {
    KDB_ASSIGN_OR_RETURN(Ownership there, LoadOwnership(*view.snapshot));
    view.ownership = std::make_shared<Ownership>(there);
  }
  MutexLock lock(mu_);
  view.rev = stats_.rev;
  return view;
}

// Reads see time `now`, which is not below that of any entry in the snapshot. What they hide by an
// entry's time stays hidden for ever; what they hide by the local clock alone could come back under
// the next leader.
absl::StatusOr<std::string> ShardStateImpl::Read(std::string_view bytes, uint64_t id,
                                                 int64_t now_ms, bool* needs_tick) const {
  Clock::Duration start = stopwatch_.Monotonic();
  if (needs_tick != nullptr) *needs_tick = false;
  auto batch = wire::DecodeBatch(bytes);
  if (!batch.ok()) {
    return wire::BatchReplyBuilder::Refusal({.seq = id, .code = wire::BatchCode::kMalformed});
  }
  KDB_ASSIGN_OR_RETURN(const View view, NewView());

  int64_t now = std::max(now_ms, view.committed_log_time_ms);
  int64_t newest_hidden_ms = INT64_MIN;
  SnapshotCounts keys(*view.snapshot);
  // Executors draw random numbers from rev; reads need not be the same on every replica.
  uint64_t rev = Random(view.rev ^ (id << 32) ^ static_cast<uint64_t>(now)).Next();
  exec::Environment env{.reader = *view.snapshot,
                        .writer = nullptr,
                        .hash_seed = group_.hash_seed,
                        .owned = view.ownership->owned,
                        .counts = keys,
                        .limits = options_.limits,
                        .now_ms = now,
                        .rev = &rev,
                        .newest_hidden_ms = &newest_hidden_ms};
  if (needs_tick == nullptr) env.hide_until_ms = view.committed_log_time_ms;
  ResultCounts counts = {};
  OpRunner runner(*view.ownership, env, counts);
  wire::BatchReplyBuilder results;
  results.Start(0, id, now);
  KDB_RETURN_IF_ERROR(RunAll(*batch, runner, keys, results));

  if (newest_hidden_ms > view.committed_log_time_ms) {
    *needs_tick = true;
    metrics_.OnReadNeedsTick();
  }
  metrics_.OnRead(counts, stopwatch_.Monotonic() - start);
  return results.Finish();
}

absl::StatusOr<bool> ShardStateImpl::HasExpired(int64_t now_ms) const {
  if (now_ms < std::min(given_expiry_ms_.load(), seen_expiry_ms_.load())) return false;
  given_expiry_ms_ = exec::kNoExpiry;
  KDB_ASSIGN_OR_RETURN(const View view, NewView());
  SnapshotCounts keys(*view.snapshot);
  uint64_t rev = view.rev;
  exec::Environment env{.reader = *view.snapshot,
                        .writer = nullptr,
                        .hash_seed = group_.hash_seed,
                        .owned = view.ownership->owned,
                        .counts = keys,
                        .limits = options_.limits,
                        .now_ms = now_ms,
                        .rev = &rev};
  KDB_ASSIGN_OR_RETURN(const int64_t earliest, exec::EarliestExpiry(env));
  seen_expiry_ms_ = earliest;
  return earliest <= now_ms;
}

}  // namespace kdb::kv

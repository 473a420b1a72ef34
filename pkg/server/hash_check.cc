#include "pkg/server/hash_check.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "pkg/base/damage.h"
#include "pkg/base/status.h"
#include "pkg/raft/quorum.h"

namespace kdb::server {
namespace {

constexpr size_t kStepBytes = 256 << 10;

std::chrono::nanoseconds Pause(size_t bytes, uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return std::chrono::nanoseconds(0);
  return std::chrono::nanoseconds(bytes * 1'000'000'000 / bytes_per_second);
}

}  // namespace

HashCheck::HashCheck(const HashCheckOptions& options, Executor& executor, const Clock& clock,
                     obs::Logger logger, obs::Registry& metrics, Links links)
    : options_(options),
      clock_(clock),
      logger_(std::move(logger)),
      links_(std::move(links)),
      agreed_(metrics.AddCounter("kdb_hash_checks_total",
                                 "Hash checks in which this replica had what a quorum has")),
      undecided_(metrics.AddCounter("kdb_hash_checks_undecided_total",
                                    "Hash checks of a leader in which no quorum agreed")),
      checked_index_(metrics.AddGauge("kdb_hash_checked_index",
                                      "The last entry at which the replica was found right")),
      last_point_(clock.Monotonic()),
      role_(executor) {}

void HashCheck::OnHashPoint(raft::Index index, std::unique_ptr<storage::Snapshot> snapshot) {
  auto scan = std::make_shared<Scan>(Scan{index, std::move(snapshot), {}});
  std::shared_ptr<Scan> older;
  {
    MutexLock lock(mu_);
    last_point_ = clock_.Monotonic();
    older = std::exchange(scan_, scan);
  }
  role_.Post([this, scan] { Step(scan); });
}

void HashCheck::Step(const std::shared_ptr<Scan>& scan) {
  {
    MutexLock lock(mu_);
    if (scan_ != scan) return;
  }
  absl::StatusOr<size_t> bytes = scan->hasher.Step(*scan->snapshot, kStepBytes);
  if (!bytes.ok()) return links_.on_damage(WithContext("hashing the state", bytes.status()));
  if (scan->hasher.done()) return Finish(*scan);
  role_.PostAfter(Pause(*bytes, options_.bytes_per_second), [this, scan] { Step(scan); });
}

void HashCheck::Finish(const Scan& scan) {
  const raft::StateHash own{.index = scan.index, .digest = scan.hasher.digest()};
  absl::Status judged;
  {
    MutexLock lock(mu_);
    if (scan_.get() == &scan) scan_.reset();
    own_ = own;
    judged = CompareLocked();
  }
  if (!judged.ok()) links_.on_damage(judged);
}

void HashCheck::OnHashVerdict(const raft::StateHash& verdict) {
  absl::Status judged;
  {
    MutexLock lock(mu_);
    verdict_ = verdict;
    judged_ = std::max(judged_, verdict.index);
    judged = CompareLocked();
  }
  if (!judged.ok()) links_.on_damage(judged);
}

absl::Status HashCheck::CompareLocked() {
  if (verdict_.index == 0 || verdict_.index != own_.index) return absl::OkStatus();
  if (verdict_ == own_) {
    agreed_.Increment();
    checked_index_.Set(static_cast<double>(own_.index));
    return absl::OkStatus();
  }
  return DamageError(
      fmt::format("the group's hash check: as of log entry {} the state hashes to {:016x} here and "
                  "to {:016x} on a majority of the members",
                  own_.index, own_.digest, verdict_.digest));
}

raft::StateHash HashCheck::Newest() {
  MutexLock lock(mu_);
  return own_;
}

void HashCheck::OnPeerHash(raft::NodeId peer, const raft::StateHash& hash) {
  MutexLock lock(mu_);
  peers_[peer] = hash;
}

void HashCheck::StopLeading() {
  MutexLock lock(mu_);
  peers_.clear();
}

void HashCheck::Lead(const raft::RaftStatus& status) {
  if (options_.every.count() == 0) return;
  std::optional<raft::StateHash> verdict;
  {
    MutexLock lock(mu_);
    if (proposing_) return;
    verdict = JudgeLocked(status);
    const bool due = clock_.Monotonic() - last_point_ >= options_.every && scan_ == nullptr;
    if (!verdict && !due) return;
    proposing_ = true;
  }
  auto done = [this](bool) {
    MutexLock lock(mu_);
    proposing_ = false;
  };
  if (verdict) {
    links_.propose(kv::EntryKind::kHashVerdict, kv::EncodeStateHash(*verdict), done);
  } else {
    links_.propose(kv::EntryKind::kHashCheck, {}, done);
  }
}

// Of the newest point that this leader has hashed itself.
std::optional<raft::StateHash> HashCheck::JudgeLocked(const raft::RaftStatus& status) {
  if (own_.index <= judged_) return std::nullopt;
  auto digest_of = [&](raft::NodeId id) -> std::optional<uint64_t> {
    if (id == status.id) return own_.digest;
    auto it = peers_.find(id);
    if (it == peers_.end() || it->second.index != own_.index) return std::nullopt;
    return it->second.digest;
  };
  std::set<uint64_t> digests = {own_.digest};
  for (const auto& [_, hash] : peers_) {
    if (hash.index == own_.index) digests.insert(hash.digest);
  }
  bool may_win = false;
  for (uint64_t digest : digests) {
    const raft::VoteResult result =
        raft::QuorumVote(status.conf, [&](raft::NodeId id) -> std::optional<bool> {
          std::optional<uint64_t> theirs = digest_of(id);
          return theirs ? std::optional(*theirs == digest) : std::nullopt;
        });
    if (result == raft::VoteResult::kWon) return raft::StateHash{own_.index, digest};
    may_win |= result == raft::VoteResult::kPending;
  }
  if (may_win) return std::nullopt;
  judged_ = own_.index;
  undecided_.Increment();
  logger_->error(
      "the group's hash check: as of log entry {} the members' states differ, and no majority has "
      "the same: which of them is right is not known",
      own_.index);
  return std::nullopt;
}

}  // namespace kdb::server

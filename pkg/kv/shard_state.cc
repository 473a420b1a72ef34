#include "pkg/kv/shard_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/base/status.h"
#include "pkg/kv/shard_state_impl.h"

namespace kdb::kv {
namespace {

// The engine holds the state of this group, or nothing at all.
absl::Status CheckGroup(const GroupRecord& group, const storage::SystemRecord& system,
                        const storage::Reader& engine) {
  std::string bytes;
  KDB_ASSIGN_OR_RETURN(bool found, engine.Get(GroupKey(), &bytes));
  if (!found) {
    auto it = engine.NewIterator({}, {});
    it->SeekToFirst();
    if (it->Valid() || system.applied_index > 0) {
      return absl::DataLossError("the state does not say which group it belongs to");
    }
    return it->status();
  }
  KDB_ASSIGN_OR_RETURN(GroupRecord there, DecodeGroupRecord(bytes));
  if (there != group) {
    return absl::DataLossError(
        fmt::format("the state is of group {} of cluster '{}', not of group {} of cluster '{}'",
                    there.gid, there.cluster_id, group.gid, group.cluster_id));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardState>> ShardState::Open(const ShardOptions& options,
                                                             const catalog::BirthCertificate& birth,
                                                             storage::Engine& engine,
                                                             obs::Registry& metrics) {
  GroupRecord group{.cluster_id = birth.cluster_id(), .gid = birth.gid()};
  if (birth.gid() == 0 || birth.hash_seed_size() != static_cast<int>(group.hash_seed.size())) {
    return absl::DataLossError("the birth certificate is not one of a shard group");
  }
  std::copy(birth.hash_seed().begin(), birth.hash_seed().end(), group.hash_seed.begin());
  auto state = std::make_unique<ShardStateImpl>(options, std::move(group),
                                                raftnode::BirthMembership(birth), engine, metrics);
  KDB_RETURN_IF_ERROR(state->Load());
  return std::unique_ptr<ShardState>(std::move(state));
}

ShardStateImpl::ShardStateImpl(const ShardOptions& options, GroupRecord group,
                               raftnode::Membership birth, storage::Engine& engine,
                               obs::Registry& metrics)
    : options_(options),
      group_(std::move(group)),
      birth_(std::move(birth)),
      engine_(engine),
      metrics_(metrics),
      batch_(engine.NewBatch()),
      overlay_(engine, options.record_cache_bytes) {}

absl::Status ShardStateImpl::Load() {
  auto state = std::make_unique<State>();
  KDB_ASSIGN_OR_RETURN(state->system, storage::ReadSystemRecord(engine_));
  KDB_RETURN_IF_ERROR(CheckGroup(group_, state->system, engine_));
  if (state->system.apply_level > options_.known_apply_level) {
    return absl::FailedPreconditionError(
        fmt::format("the state needs apply level {}, this release knows {}: run a newer one",
                    state->system.apply_level, options_.known_apply_level));
  }
  state->membership = birth_;
  if (state->system.applied_index > 0) {
    KDB_ASSIGN_OR_RETURN(state->membership,
                         raftnode::DecodeMembership(state->system.membership, birth_));
  }
  KDB_ASSIGN_OR_RETURN(state->slots, Slots::Load(engine_));
  SessionLimits limits{options_.session_window_batches, options_.session_window_bytes};
  KDB_ASSIGN_OR_RETURN(state->sessions, Sessions::Load(limits, engine_));
  state_ = std::move(state);
  PublishOwnership(std::make_shared<Ownership>(state_->slots.ownership()));
  Publish();
  return absl::OkStatus();
}

raftnode::AppliedState ShardStateImpl::applied() const {
  return {state_->system.applied_index, state_->system.applied_term, state_->membership};
}

absl::StatusOr<raft::Index> ShardStateImpl::PersistedIndex() const {
  KDB_ASSIGN_OR_RETURN(storage::SystemRecord record, storage::ReadPersistedSystemRecord(engine_));
  return record.applied_index;
}

absl::Status ShardStateImpl::Flush() { return engine_.Flush(); }

ShardStats ShardStateImpl::stats() const {
  MutexLock lock(mu_);
  return stats_;
}

exec::SlotSet ShardStateImpl::owned() const {
  auto view = NewView();
  return view.ok() ? view->ownership->owned : exec::SlotSet();
}

absl::StatusOr<std::vector<SessionInfo>> ShardStateImpl::OpenSessions() const {
  return ListSessions(*engine_.NewSnapshot());
}

void ShardStateImpl::Publish() {
  const storage::SystemRecord& system = state_->system;
  applied_log_time_ms_ = system.log_time_ms;
  applied_index_ = system.applied_index;
  committed_log_time_ms_ = std::max(system.log_time_ms, committed_log_time_ms_.load());
  MutexLock lock(mu_);
  stats_ = {.apply_level = system.apply_level,
            .keys = state_->slots.keys(),
            .sessions = state_->sessions.size(),
            .owned_slots = state_->slots.ownership().owned.count(),
            .rev = system.rev,
            .log_time_ms = system.log_time_ms};
}

void ShardStateImpl::PublishOwnership(OwnershipView ownership) {
  MutexLock lock(mu_);
  ownership_ = std::move(ownership);
}

}  // namespace kdb::kv

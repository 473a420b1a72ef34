#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/base/check.h"
#include "pkg/base/coding.h"
#include "pkg/base/status.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/op_runner.h"
#include "pkg/kv/shard_state_impl.h"

namespace kdb::kv {
namespace {

// The replies of a batch are stored, so the state bounds them: what reads does not go beyond the
// limit, nothing is executed once it is reached (GETDEL of many large values).
constexpr std::string_view kReplyTooLarge =
    "-ERR not executed: the replies of the commands before it are too large together; send fewer "
    "at once\r\n";

}  // namespace

absl::Status ShardStateImpl::Apply(std::span<const raftnode::CommittedEntry> entries,
                                   std::vector<Payload>* results) {
  if (entries.empty()) return absl::OkStatus();
  const Clock::Duration began = stopwatch_.Monotonic();
  const size_t results_before = results->size();
  absl::Status status = Stage(entries, results, apply_counts_);
  metrics_.OnExecuted(stopwatch_.Monotonic() - began);
  if (status.ok()) return status;
  results->resize(results_before);
  return Undo(status);
}

absl::Status ShardStateImpl::Commit() {
  if (apply_counts_.entries == 0) return absl::OkStatus();
  const Clock::Duration began = stopwatch_.Monotonic();
  if (absl::Status status = Write(); !status.ok()) return Undo(status);
  overlay_.Written();
  batch_->Clear();
  Publish();
  metrics_.OnWritten(apply_counts_, stats(), stopwatch_.Monotonic() - began);
  apply_counts_ = {};
  raft::Index point = std::exchange(staged_hash_point_, 0);
  if (point != 0 && hash_listener_ != nullptr) {
    hash_listener_->OnHashPoint(point, engine_.NewSnapshot());
  }
  return absl::OkStatus();
}

// As if what is staged had never been seen.
absl::Status ShardStateImpl::Undo(const absl::Status& why) {
  metrics_.OnFailedWrite();
  overlay_.Clear();
  batch_->Clear();
  apply_counts_ = {};
  staged_hash_point_ = 0;
  KDB_RETURN_IF_ERROR(Load());
  return why;
}

// Everything up to the write: into the overlay and state_.
absl::Status ShardStateImpl::Stage(std::span<const raftnode::CommittedEntry> entries,
                                   std::vector<Payload>* results, ApplyCounts& counts) {
  if (state_->system.applied_index == 0) batch_->Put(GroupKey(), EncodeGroupRecord(group_));
  for (const raftnode::CommittedEntry& committed : entries) {
    KDB_ASSIGN_OR_RETURN(Payload result, ApplyEntry(committed, counts));
    results->push_back(std::move(result));
  }
  counts.entries += entries.size();
  return absl::OkStatus();
}

absl::Status ShardStateImpl::Write() {
  bool ownership_changed = state_->slots.ownership_changed();
  overlay_.AddTo(*batch_);
  state_->slots.WriteChanged(*batch_);
  state_->sessions.WriteChanged(*batch_);
  batch_->Put(storage::SystemRecordKey(), storage::EncodeSystemRecord(state_->system));
  // In this order for readers: see NewView.
  committed_log_time_ms_ = std::max(state_->system.log_time_ms, committed_log_time_ms_.load());
  if (ownership_changed) PublishOwnership(nullptr);
  KDB_RETURN_IF_ERROR(engine_.Write(*batch_));
  if (ownership_changed) staged_expiry_ms_ = INT64_MIN;  // its slots' keys are not known
  NoteGivenExpiries();
  if (ownership_changed) PublishOwnership(std::make_shared<Ownership>(state_->slots.ownership()));
  return absl::OkStatus();
}

void ShardStateImpl::NoteGivenExpiries() {
  int64_t given = std::exchange(staged_expiry_ms_, exec::kNoExpiry);
  int64_t known = given_expiry_ms_.load();
  while (given < known && !given_expiry_ms_.compare_exchange_weak(known, given)) {
  }
}

absl::StatusOr<Payload> ShardStateImpl::ApplyEntry(const raftnode::CommittedEntry& committed,
                                                   ApplyCounts& counts) {
  const raft::Entry& entry = committed.entry;
  storage::SystemRecord& system = state_->system;
  KDB_CHECK(entry.index == system.applied_index + 1, "entry {} after {}", entry.index,
            system.applied_index);
  system.applied_index = entry.index;
  system.applied_term = entry.term;
  if (committed.membership != nullptr || system.membership.empty()) ApplyMembership(committed);
  if (entry.type != raft::EntryType::kNormal || entry.data.empty()) return Payload();
  auto decoded = DecodeEntry(entry.data.view());
  if (absl::IsUnimplemented(decoded.status())) return Halt(std::string(decoded.status().message()));
  if (!decoded.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  system.log_time_ms = std::max(system.log_time_ms, decoded->leader_time_ms);
  return ApplyKind(*decoded, counts);
}

absl::StatusOr<Payload> ShardStateImpl::ApplyKind(const DecodedEntry& entry, ApplyCounts& counts) {
  switch (entry.kind) {
    case EntryKind::kBatch:
      return ApplyBatch(entry.body, counts);
    case EntryKind::kOpenSession:
      return ApplyOpenSession();
    case EntryKind::kCloseSession:
    case EntryKind::kExpireSessions:
      return ApplyEndSessions(entry.body, counts);
    case EntryKind::kTick:
      return Payload();
    case EntryKind::kExpireKeys:
      return ApplyExpireKeys(entry.body, counts);
    case EntryKind::kOwnSlots:
      return ApplyOwnSlots(entry.body, counts);
    case EntryKind::kRaiseLevel:
      return ApplyRaiseLevel(entry.body, counts);
    case EntryKind::kHashCheck:
      staged_hash_point_ = state_->system.applied_index;
      return Payload();
    case EntryKind::kHashVerdict:
      return ApplyHashVerdict(entry.body, counts);
  }
  return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
}

absl::StatusOr<Payload> ShardStateImpl::ApplyBatch(std::string_view bytes, ApplyCounts& counts) {
  auto header = wire::DecodeBatchHeader(bytes);
  if (!header.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  // Without a session a write could apply twice: only reads do without one, and they are not
  // logged.
  if (header->session == 0 || header->seq == 0) {
    return Payload(Refuse(wire::BatchCode::kMalformed, *header, counts));
  }
  using Admission = Sessions::Admission;
  switch (state_->sessions.Admit(header->session, header->seq)) {
    case Admission::kExpired:
      return Payload(Refuse(wire::BatchCode::kExpired, *header, counts));
    case Admission::kGap:
      return Payload(
          Refuse(wire::BatchCode::kGap, *header, counts, state_->sessions.Last(header->session)));
    case Admission::kTrimmed:
      return Payload(Refuse(wire::BatchCode::kTrimmed, *header, counts));
    case Admission::kRepeat: {
      ++counts.repeats;
      KDB_ASSIGN_OR_RETURN(std::string reply,
                           Sessions::StoredReply(header->session, header->seq, overlay_));
      return Payload(std::move(reply));
    }
    case Admission::kNext:
      break;
  }
  KDB_ASSIGN_OR_RETURN(std::string reply, ExecuteNext(*header, bytes, counts));
  state_->sessions.Record(*header, reply, state_->system.log_time_ms, overlay_);
  return Payload(std::move(reply));
}

// A batch with a good head and a bad body takes its number: a session must be able to go on behind
// it.
absl::StatusOr<std::string> ShardStateImpl::ExecuteNext(const wire::BatchHeader& header,
                                                        std::string_view bytes,
                                                        ApplyCounts& counts) {
  auto batch = wire::DecodeBatch(bytes);
  if (!batch.ok()) return Refuse(wire::BatchCode::kMalformed, header, counts);
  exec::Environment env = WriteEnvironment();
  OpRunner runner(state_->slots.ownership(), env, counts.results);
  wire::BatchReplyBuilder results;
  results.Start(header.session, header.seq, state_->system.log_time_ms);
  const size_t limit = options_.max_batch_reply_bytes;
  for (const wire::Op& op : batch->ops) {
    if (results.bytes() < limit) {
      KDB_RETURN_IF_ERROR(runner.Run(op, limit - results.bytes(), results));
    } else {
      results.AddResult({.code = wire::ResultCode::kFailed, .reply = kReplyTooLarge});
    }
  }
  ++counts.batches[static_cast<size_t>(wire::BatchCode::kExecuted)];
  return results.Finish();
}

// The number is the entry's index: unique in the group, and the same on every replica.
Payload ShardStateImpl::ApplyOpenSession() {
  OpenedSession opened{.session = state_->system.applied_index,
                       .log_time_ms = state_->system.log_time_ms};
  if (!state_->sessions.Open(opened.session, opened.log_time_ms)) opened.session = 0;
  return Payload(EncodeOpenedSession(opened));
}

Payload ShardStateImpl::ApplyEndSessions(std::string_view body, ApplyCounts& counts) {
  auto sessions = DecodeSessions(body);
  if (!sessions.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  for (uint64_t session : *sessions) state_->sessions.Close(session, overlay_);
  return Payload();
}

absl::StatusOr<Payload> ShardStateImpl::ApplyExpireKeys(std::string_view body,
                                                        ApplyCounts& counts) {
  auto step = DecodeExpireKeys(body);
  if (!step.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  exec::Environment env = WriteEnvironment();
  shard::Slot next = step->from;
  KDB_ASSIGN_OR_RETURN(size_t deleted, exec::DeleteExpired(env, step->limit, &next));
  if (deleted < step->limit) return Payload();
  return Payload(EncodeExpireKeys({.from = next, .limit = step->limit}));
}

Payload ShardStateImpl::ApplyOwnSlots(std::string_view body, ApplyCounts& counts) {
  auto own = DecodeOwnSlots(body);
  if (!own.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  std::vector<shard::Slot> refused = state_->slots.Own(*own);
  if (refused.empty()) return Payload();
  return Payload(fmt::format("a later epoch or assignment was seen for slots {}",
                             shard::FormatSlots(refused)));
}

absl::StatusOr<Payload> ShardStateImpl::ApplyRaiseLevel(std::string_view body,
                                                        ApplyCounts& counts) {
  auto level = DecodeRaiseLevel(body);
  if (!level.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  if (*level > options_.known_apply_level) {
    return Halt(fmt::format("apply level {} is not known, only up to {}", *level,
                            options_.known_apply_level));
  }
  uint32_t& in_force = state_->system.apply_level;
  in_force = std::max(in_force, *level);
  return Payload(EncodeRaiseLevel(in_force));
}

Payload ShardStateImpl::ApplyHashVerdict(std::string_view body, ApplyCounts& counts) {
  auto verdict = DecodeStateHash(body);
  if (!verdict.ok()) return Payload(Refuse(wire::BatchCode::kMalformed, {}, counts));
  if (hash_listener_ != nullptr) hash_listener_->OnHashVerdict(*verdict);
  return Payload();
}

// Skipping the entry would make this replica's state another than that of those that know it.
absl::Status ShardStateImpl::Halt(std::string_view why) const {
  return absl::FailedPreconditionError(fmt::format(
      "log entry {} is of a newer release: {}. This replica halts before it, for it must "
      "not skip what it cannot apply: run the newer release here",
      state_->system.applied_index, why));
}

void ShardStateImpl::ApplyMembership(const raftnode::CommittedEntry& committed) {
  if (committed.membership != nullptr) state_->membership = *committed.membership;
  state_->system.membership = raftnode::EncodeMembership(state_->membership);
}

std::string ShardStateImpl::Refuse(wire::BatchCode code, const wire::BatchHeader& header,
                                   ApplyCounts& counts, uint64_t last) const {
  ++counts.batches[static_cast<size_t>(code)];
  return wire::BatchReplyBuilder::Refusal({.session = header.session,
                                           .seq = header.seq,
                                           .code = code,
                                           .last = last,
                                           .log_time_ms = state_->system.log_time_ms});
}

exec::Environment ShardStateImpl::WriteEnvironment() {
  return {.reader = overlay_,
          .writer = &overlay_,
          .hash_seed = group_.hash_seed,
          .owned = state_->slots.ownership().owned,
          .counts = state_->slots,
          .limits = options_.limits,
          .now_ms = state_->system.log_time_ms,
          .rev = &state_->system.rev,
          .earliest_given_ms = &staged_expiry_ms_};
}

}  // namespace kdb::kv

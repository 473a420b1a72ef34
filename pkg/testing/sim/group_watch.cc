#include "pkg/testing/sim/group_watch.h"

#include <algorithm>

#include "pkg/base/check.h"
#include "pkg/kv/digest.h"

namespace kdb::sim {
namespace {

// States are compared at multiples of it: a digest reads everything.
constexpr raft::Index kDigestEvery = 64;

}  // namespace

void GroupWatch::Sent(const raft::Message& m) {
  newest_term_ = std::max(newest_term_, m.term);
  if (m.type != raft::MessageType::kAppend) return;
  raft_.Appended(m.log_term, m.entries);
  CheckComplete(m, m.index, m.log_term);
  for (const raft::Entry& e : m.entries) CheckComplete(m, e.index, e.term);
}

void GroupWatch::CheckComplete(const raft::Message& append, raft::Index index,
                               raft::Term term) const {
  auto at = applied_.find(index);
  if (at == applied_.end()) return;
  // A leader that was deposed may hold something else.
  if (append.term <= at->second.known_in) return;
  KDB_CHECK(at->second.term == term,
            "leader completeness: {} of term {} holds ({}, {}), committed is ({}, {})", append.from,
            append.term, index, term, index, at->second.term);
}

void GroupWatch::Observed(const raft::RaftStatus& status) {
  // Leader completeness is judged by messages: the log itself is out of sight here.
  raft::RaftStatus seen = status;
  seen.commit = UINT64_MAX;
  raft_.Observed(seen, [](raft::Index) { return std::nullopt; });
}

void GroupWatch::Applied(raft::NodeId id, const storage::Engine& engine) {
  absl::StatusOr<storage::SystemRecord> record = storage::ReadSystemRecord(engine);
  KDB_CHECK(record.ok(), "replica {}: {}", id, record.status().ToString());
  auto [at, fresh] = applied_.try_emplace(
      record->applied_index,
      Committed{record->applied_term, newest_term_, record->log_time_ms, std::nullopt});
  Committed& known = at->second;
  KDB_CHECK(known.term == record->applied_term,
            "state machine safety: replica {} applied ({}, {}), another ({}, {})", id,
            record->applied_index, record->applied_term, record->applied_index, known.term);
  KDB_CHECK(known.log_time_ms == record->log_time_ms, "replica {}: log time at {} is {}, not {}",
            id, record->applied_index, record->log_time_ms, known.log_time_ms);
  if (fresh && at != applied_.begin()) {
    KDB_CHECK(std::prev(at)->second.log_time_ms <= known.log_time_ms, "log time went back at {}",
              record->applied_index);
  }
  if (record->applied_index % kDigestEvery != 0) return;
  absl::StatusOr<uint64_t> digest = kv::StateDigest(engine);
  KDB_CHECK(digest.ok(), "replica {}: {}", id, digest.status().ToString());
  if (!known.digest.has_value()) known.digest = *digest;
  KDB_CHECK(*known.digest == *digest, "replica {} has another state than others at index {}", id,
            record->applied_index);
}

absl::Status WatchedEngine::Write(storage::WriteBatch& batch) {
  absl::Status status = memory_->Write(batch);
  if (status.ok()) watch_.Applied(id_, *memory_);
  return status;
}

}  // namespace kdb::sim

#include "pkg/kv/sessions.h"

#include <fmt/format.h>

#include <algorithm>

#include "pkg/base/check.h"
#include "pkg/base/status.h"

namespace kdb::kv {

absl::StatusOr<Sessions> Sessions::Load(const SessionLimits& limits,
                                        const storage::Reader& reader) {
  Sessions sessions;
  sessions.limits_ = limits;
  KeyRange range = SessionKeys();
  auto it = reader.NewIterator(range.lower, range.upper);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    KDB_ASSIGN_OR_RETURN(uint64_t id, DecodeSessionKey(it->key()));
    KDB_ASSIGN_OR_RETURN(sessions.sessions_[id].record, DecodeSessionRecord(it->value()));
  }
  KDB_RETURN_IF_ERROR(it->status());
  KDB_RETURN_IF_ERROR(sessions.LoadReplies(reader));
  return sessions;
}

// Replies are the last ones of their session, without a hole.
absl::Status Sessions::LoadReplies(const storage::Reader& reader) {
  KeyRange range = ReplyKeys();
  auto it = reader.NewIterator(range.lower, range.upper);
  for (it->SeekToLast(); it->Valid(); it->Prev()) {
    KDB_ASSIGN_OR_RETURN(ReplyId id, DecodeReplyKey(it->key()));
    auto found = sessions_.find(id.session);
    if (found == sessions_.end() || id.seq != found->second.first_stored() - 1) {
      return absl::DataLossError(
          fmt::format("session {}: stored reply {} does not belong to it", id.session, id.seq));
    }
    found->second.sizes.push_front(it->value().size());
    found->second.bytes += it->value().size();
  }
  return it->status();
}

bool Sessions::Open(uint64_t session, int64_t log_time_ms) {
  if (sessions_.size() >= kMaxSessions) return false;
  Session& opened = sessions_[session];
  opened.record.active_ms = log_time_ms;
  Touch(session, opened);
  return true;
}

bool Sessions::Close(uint64_t session, storage::Overlay& writer) {
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return false;
  while (!it->second.sizes.empty()) DropOldest(session, it->second, writer);
  writer.Delete(SessionKey(session));
  sessions_.erase(it);
  return true;
}

Sessions::Admission Sessions::Admit(uint64_t session, uint64_t seq) const {
  auto it = sessions_.find(session);
  if (it == sessions_.end()) return Admission::kExpired;
  uint64_t last = it->second.record.last;
  if (seq > last) return seq == last + 1 ? Admission::kNext : Admission::kGap;
  return seq >= it->second.first_stored() ? Admission::kRepeat : Admission::kTrimmed;
}

uint64_t Sessions::Last(uint64_t session) const {
  auto it = sessions_.find(session);
  return it == sessions_.end() ? 0 : it->second.record.last;
}

absl::StatusOr<std::string> Sessions::StoredReply(uint64_t session, uint64_t seq,
                                                  const storage::Reader& reader) {
  std::string reply;
  KDB_ASSIGN_OR_RETURN(bool found, reader.Get(ReplyKey(session, seq), &reply));
  if (!found) {
    return absl::DataLossError(fmt::format("session {}: stored reply {} is gone", session, seq));
  }
  return reply;
}

void Sessions::Record(const wire::BatchHeader& header, std::string_view reply, int64_t log_time_ms,
                      storage::Overlay& writer) {
  Session& session = sessions_.at(header.session);
  KDB_CHECK(header.seq == session.record.last + 1, "batch {} after {}", header.seq,
            session.record.last);
  writer.Insert(ReplyKey(header.session, header.seq), reply);
  session.record.last = header.seq;
  session.record.ack_below =
      std::max(session.record.ack_below, std::min(header.ack_below, header.seq));
  session.record.active_ms = log_time_ms;
  session.sizes.push_back(reply.size());
  session.bytes += reply.size();
  Trim(header.session, session, writer);
  Touch(header.session, session);
}

void Sessions::Trim(uint64_t id, Session& session, storage::Overlay& writer) const {
  while (session.sizes.size() > 1 &&
         (session.first_stored() < session.record.ack_below ||
          session.sizes.size() > limits_.window_batches || session.bytes > limits_.window_bytes)) {
    DropOldest(id, session, writer);
  }
}

void Sessions::DropOldest(uint64_t id, Session& session, storage::Overlay& writer) {
  writer.Delete(ReplyKey(id, session.first_stored()));
  session.bytes -= session.sizes.front();
  session.sizes.pop_front();
}

void Sessions::Touch(uint64_t id, Session& session) {
  if (session.changed) return;
  session.changed = true;
  changed_.push_back(id);
}

void Sessions::WriteChanged(storage::WriteBatch& batch) {
  for (uint64_t id : changed_) {
    auto it = sessions_.find(id);
    if (it == sessions_.end()) continue;
    batch.Put(SessionKey(id), EncodeSessionRecord(it->second.record));
    it->second.changed = false;
  }
  changed_.clear();
}

absl::StatusOr<std::vector<SessionInfo>> ListSessions(const storage::Reader& reader) {
  std::vector<SessionInfo> sessions;
  KeyRange range = SessionKeys();
  auto it = reader.NewIterator(range.lower, range.upper);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    KDB_ASSIGN_OR_RETURN(uint64_t id, DecodeSessionKey(it->key()));
    KDB_ASSIGN_OR_RETURN(SessionRecord record, DecodeSessionRecord(it->value()));
    sessions.push_back({id, record.last});
  }
  KDB_RETURN_IF_ERROR(it->status());
  return sessions;
}

}  // namespace kdb::kv

// Sessions: batches of one execute once and in order, and repeats get the first answer again
// (design 4).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/kv/system_records.h"
#include "pkg/storage/engine.h"
#include "pkg/storage/overlay.h"
#include "pkg/wire/batch.h"

namespace kdb::kv {

// Bounds the records of clients that never come back until they expire.
inline constexpr size_t kMaxSessions = 16384;

struct SessionLimits {
  size_t window_batches = 64;  // stored replies; the newest is always kept whole
  size_t window_bytes = 4 << 20;
};

// Not thread-safe. Holds exactly what the engine holds plus the changes since the last
// WriteChanged, but for the replies themselves: of them only the sizes.
class Sessions {
 public:
  static absl::StatusOr<Sessions> Load(const SessionLimits& limits, const storage::Reader& reader);

  // False when there are too many.
  bool Open(uint64_t session, int64_t log_time_ms);
  // Deletes the session and its replies; false when it is not there.
  bool Close(uint64_t session, storage::Overlay& writer);

  enum class Admission {
    kNext,     // to be executed now
    kRepeat,   // executed before: StoredReply
    kTrimmed,  // executed before, its reply is gone
    kGap,      // an earlier batch is missing
    kExpired,  // no such session
  };
  Admission Admit(uint64_t session, uint64_t seq) const;
  // The newest batch executed; 0 when there is no such session.
  uint64_t Last(uint64_t session) const;
  // Of a kRepeat.
  static absl::StatusOr<std::string> StoredReply(uint64_t session, uint64_t seq,
                                                 const storage::Reader& reader);
  // A kNext was executed: stores its reply and trims older ones.
  void Record(const wire::BatchHeader& header, std::string_view reply, int64_t log_time_ms,
              storage::Overlay& writer);

  size_t size() const { return sessions_.size(); }
  void WriteChanged(storage::WriteBatch& batch);

 private:
  struct Session {
    SessionRecord record;
    std::deque<size_t> sizes;  // of the stored replies, the newest (record.last) at the back
    size_t bytes = 0;
    bool changed = false;

    uint64_t first_stored() const { return record.last - sizes.size() + 1; }
  };

  absl::Status LoadReplies(const storage::Reader& reader);
  void Trim(uint64_t id, Session& session, storage::Overlay& writer) const;
  static void DropOldest(uint64_t id, Session& session, storage::Overlay& writer);
  void Touch(uint64_t id, Session& session);

  SessionLimits limits_;
  std::map<uint64_t, Session> sessions_;
  std::vector<uint64_t> changed_;  // may name closed ones
};

// One session's record, for the leader's watch over silence.
struct SessionInfo {
  uint64_t session = 0;
  uint64_t last = 0;
};
absl::StatusOr<std::vector<SessionInfo>> ListSessions(const storage::Reader& reader);

}  // namespace kdb::kv

// The state machine of one shard group: applies batches in log order, deduplicates by session,
// answers reads.
//
// Determinism: Apply's effects and results are a function of the state and the entry alone. Time is
// the leader's stamp in the entry. Everything that decides a later result is in the engine, written
// in the WriteBatch of the entry that changes it, or with several entries at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "pkg/exec/executor.h"
#include "pkg/kv/entry.h"
#include "pkg/kv/hash_listener.h"
#include "pkg/kv/sessions.h"
#include "pkg/obs/metrics.h"
#include "pkg/raftnode/state_machine.h"
#include "pkg/storage/engine.h"
#include "proto/catalog.pb.h"

namespace kdb::kv {

// The newest semantics of apply that this release knows (design 4).
inline constexpr uint32_t kApplyLevel = 0;

// They decide results, so they must be the same on every member of a group.
struct ShardOptions {
  exec::Limits limits = {};
  size_t session_window_batches =
      64;  // stored replies per session; the newest batch is always kept whole
  size_t session_window_bytes = 4 << 20;
  // Of a logged batch: room for two of the largest replies. It may be exceeded by one value.
  size_t max_batch_reply_bytes = 256 << 20;
  size_t record_cache_bytes = 32 << 20;      // of what commands that write read
  uint32_t known_apply_level = kApplyLevel;  // tests of upgrades know more
};

struct ShardStats {
  uint32_t apply_level = 0;  // in force
  uint64_t keys = 0;
  uint64_t sessions = 0;
  uint64_t owned_slots = 0;
  uint64_t rev = 0;
  int64_t log_time_ms = 0;
};

// As raftnode::StateMachine says; Apply halts at an entry of a newer release (FORMAT.md).
class ShardState : public raftnode::StateMachine {
 public:
  // Reads the engine's system records. `engine` outlives it. `birth` gives gid, hash seed and, for
  // an empty engine, the first configuration. DATA_LOSS when the records cannot be those of this
  // group.
  static absl::StatusOr<std::unique_ptr<ShardState>> Open(const ShardOptions& options,
                                                          const catalog::BirthCertificate& birth,
                                                          storage::Engine& engine,
                                                          obs::Registry& metrics);

  // Before the first Apply; nullptr: nobody listens.
  virtual void SetHashListener(HashListener* listener) = 0;

  // Executes the ops of a read batch on one snapshot of the engine; thread-safe, beside Apply. The
  // caller has made sure (RaftNode::Read) that the state is new enough. `now_ms`: log time as known
  // here, for expiry; a read that would hide a key only by it (not by the applied log time) is
  // answered so that the caller first commits a tick: *needs_tick is set and the result must be
  // dropped. A caller that cannot commit one passes nullptr: such keys are shown. An error: the
  // engine cannot be read, and this replica must not go on.
  virtual absl::StatusOr<std::string> Read(std::string_view batch, uint64_t id, int64_t now_ms,
                                           bool* needs_tick) const = 0;

  // For the leader: whether a logged expiry step would delete something. Thread-safe.
  virtual absl::StatusOr<bool> HasExpired(int64_t now_ms) const = 0;
  // For the leader: the open sessions and their newest batches; which of them were silent, it tells
  // by its own monotonic time between two calls. Thread-safe; reads them all.
  virtual absl::StatusOr<std::vector<SessionInfo>> OpenSessions() const = 0;
  // The newest entry that every Read from now on sees. Thread-safe.
  virtual raft::Index applied_index() const = 0;
  virtual int64_t applied_log_time_ms() const = 0;  // thread-safe
  virtual ShardStats stats() const = 0;             // thread-safe
  virtual exec::SlotSet owned() const = 0;          // thread-safe
};

}  // namespace kdb::kv

// The serving side of snapshots' transfers, without a connection: answers the questions of all who
// fetch, one after the other, and no faster than allowed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "pkg/base/gated_executor.h"
#include "pkg/base/mutex.h"
#include "pkg/obs/metrics.h"
#include "pkg/snapshot/checkpoints.h"

namespace kdb::snapshot {

struct SourceOptions {
  CheckpointOptions checkpoints;
  uint64_t bytes_per_second = 128 << 20;  // to all who fetch together; 0: as fast as possible
};

// Thread-safe.
class Source {
 public:
  static constexpr uint32_t kMaxPartBytes = 4 << 20;
  using Answer = absl::AnyInvocable<void(const absl::StatusOr<raftpb::SnapshotReply>&)>;
  // The log behind that index is wanted from now on; 0: it is not.
  using Hold = std::function<void(uint64_t index)>;

  // Works on `executor`, which may block; `hold` is called there. References outlive the object.
  // Removes copies of a former life of the process.
  Source(FileSystem& fs, const Clock& clock, Executor& executor, SourceOptions options,
         Checkpoints::Make make, Random random, Hold hold, obs::Registry& metrics);
  // Nobody is answered any more; removes the copies.
  ~Source();

  // `answer` is called on the executor, in the order of the calls. Its errors: INVALID_ARGUMENT,
  // and those of Checkpoints.
  void Ask(raftpb::SnapshotRequest request, Answer answer);

 private:
  struct Question {
    raftpb::SnapshotRequest request;
    Answer answer;
  };

  // On the executor.
  absl::Status OpenCopies();
  absl::StatusOr<raftpb::SnapshotMeta> MakeCopy(const std::string& dir);
  void Run();
  absl::StatusOr<raftpb::SnapshotReply> Reply(const raftpb::SnapshotRequest& request);
  absl::StatusOr<raftpb::SnapshotReply> Open(const raftpb::SnapshotOpen& open);
  absl::StatusOr<raftpb::SnapshotReply> ReadPart(const raftpb::SnapshotPart& part);
  void HoldLog();
  void ExpireLater();

  FileSystem& fs_;
  const Clock& clock_;
  const SourceOptions options_;
  Checkpoints::Make make_;
  Random random_;
  const Hold hold_;
  obs::Counter& sent_;
  obs::Counter& made_;

  // The executor's.
  std::unique_ptr<Checkpoints> copies_;
  Clock::Duration next_{0};  // not before then is anybody answered
  uint64_t held_ = 0;
  bool expires_ = false;

  Mutex mu_;
  std::deque<Question> questions_ ABSL_GUARDED_BY(mu_);
  bool scheduled_ ABSL_GUARDED_BY(mu_) = false;

  GatedExecutor executor_;  // last: its tasks use all of the above
};

}  // namespace kdb::snapshot

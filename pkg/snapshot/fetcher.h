// Fetches a snapshot, over as many connections as it takes, until it is recorded to be installed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "pkg/base/clock.h"
#include "pkg/base/gated_executor.h"
#include "pkg/obs/log.h"
#include "pkg/obs/metrics.h"
#include "pkg/snapshot/link.h"
#include "pkg/snapshot/receiver.h"

namespace kdb::snapshot {

struct FetcherOptions {
  ReceiverOptions receiver;
  std::chrono::milliseconds min_backoff{100};
  std::chrono::milliseconds max_backoff{5000};
  std::chrono::milliseconds silence{10'000};  // a connection that says nothing for so long is left
  // A snapshot that was begun in a former life of the process and is not asked for is removed.
  std::chrono::milliseconds forget_after{60'000};
};

// Thread-safe.
class Fetcher {
 public:
  // To a member that has the snapshot, whichever is the right one now. nullptr: none is known.
  using Connect = std::function<std::unique_ptr<Link>(LinkHandler& handler)>;

  // Works on `executor`, which may block. `on_fetched`: once, on the executor, when a snapshot is
  // recorded to be installed; nothing is fetched afterwards. References outlive the object.
  Fetcher(FileSystem& fs, const Clock& clock, Executor& executor, FetcherOptions options,
          Connect connect, std::function<void()> on_fetched, obs::Logger logger,
          obs::Registry& metrics);
  ~Fetcher();

  // A snapshot of at least this index is to be fetched; nullopt: none, and what is here is dropped.
  // Repeating it changes nothing.
  void Want(std::optional<uint64_t> min_index);

 private:
  class Attempt;

  // On the executor.
  void Begin();
  bool IsPresent(uint64_t attempt) const { return attempt_ != nullptr && attempt == attempts_; }
  void OnReply(uint64_t attempt, const raftpb::SnapshotReply& reply);
  void OnBroken(uint64_t attempt, const absl::Status& why);
  absl::Status Take(const raftpb::SnapshotReply& reply);
  void Ask(const Receiver::Requests& requests);
  void GiveUp(const absl::Status& why);
  void WatchSilence();
  void Drop();
  void Fetched();

  const Clock& clock_;
  const FetcherOptions options_;
  const Connect connect_;
  const std::function<void()> on_fetched_;
  const obs::Logger logger_;
  obs::Counter& fetched_;
  obs::Counter& failures_;

  // The executor's.
  std::optional<uint64_t> wanted_;
  bool done_ = false;
  Receiver receiver_;
  uint64_t attempts_ = 0;
  std::unique_ptr<Attempt> attempt_;  // the last one, if it is under way
  Clock::Duration began_{0};
  Clock::Duration heard_{0};  // of the other side
  std::chrono::milliseconds backoff_;

  GatedExecutor executor_;  // last: its tasks use all of the above
};

}  // namespace kdb::snapshot

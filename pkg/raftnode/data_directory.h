// A server's data directory, held for this process alone, and its birth (identity.h).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "pkg/base/executor.h"
#include "pkg/base/mutex.h"
#include "pkg/raftnode/identity.h"

namespace kdb::raftnode {

// Thread-safe.
class DataDirectory {
 public:
  // Creates what is missing. FAILED_PRECONDITION: another process has it, or it belongs to another
  // kind of server. DATA_LOSS: its identity is damaged. `fs` outlives it.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(FileSystem& fs, std::string path,
                                                             ServerKind kind, Random& random);

  const std::string& path() const { return path_; }
  Identity identity() const;
  // OK, or why no member runs on this directory ever again (quarantine.h).
  absl::Status Quarantined() const;

  // What a born server does: becomes a member.
  using Start = std::function<absl::Status(const Identity&)>;
  // Starts the member if the directory is born. Damage that the start meets puts the directory in
  // quarantine.
  absl::Status StartIfBorn(const Start& start);
  // Accepts a certificate durably, as raftnode::AcceptBirth, and starts the member unless it runs.
  // Blocks.
  absl::Status AcceptBirth(const catalog::BirthCertificate& certificate, const Start& start);
  // Runs `restart`, which stops the member and starts it again, behind what is under way. Returns
  // at once.
  void RestartLater(std::function<void(const Identity&)> restart);
  // Waits for what is under way; nothing starts any more: calls answer UNAVAILABLE.
  void Close();
  // The member must not go on. Damage puts the directory in quarantine and then, behind what is
  // under way, calls `stop`: the server stays, without a member, and says why. After anything else,
  // or when quarantine cannot be made durable, the process has to end: `end`. From any thread;
  // returns at once, unless `end` does not.
  void Fail(const absl::Status& why, std::function<void()> stop,
            std::function<void(const absl::Status&)> end);

 private:
  DataDirectory(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // On the strand.
  absl::Status AcceptNow(const catalog::BirthCertificate& certificate);
  absl::Status StartNow(const Start& start);
  absl::Status OnStrand(absl::AnyInvocable<absl::Status()> task);
  // DATA_LOSS, always: Quarantined(), or why it could not be made durable.
  absl::Status EnterQuarantine(const absl::Status& damage);

  FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  // The strand's.
  bool started_ = false;
  bool closed_ = false;

  mutable Mutex mu_;
  Identity identity_ ABSL_GUARDED_BY(mu_);
  absl::Status quarantined_ ABSL_GUARDED_BY(mu_);

  // One birth at a time, without a mutex held during I/O. Last: its tasks use all of the above.
  std::unique_ptr<Executor> strand_ = NewThreadExecutor("birth");
};

}  // namespace kdb::raftnode

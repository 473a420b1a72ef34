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
  // kind of server. DATA_LOSS: damaged, or in quarantine. `fs` outlives it.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(FileSystem& fs, std::string path,
                                                             ServerKind kind, Random& random);

  const std::string& path() const { return path_; }
  Identity identity() const;

  // What a born server does: becomes a member.
  using Start = std::function<absl::Status(const Identity&)>;
  // Starts the member if the directory is born.
  absl::Status StartIfBorn(const Start& start);
  // Accepts a certificate durably, as raftnode::AcceptBirth, and starts the member unless it runs.
  // Blocks.
  absl::Status AcceptBirth(const catalog::BirthCertificate& certificate, const Start& start);
  // Runs `restart`, which stops the member and starts it again, behind what is under way. Returns
  // at once.
  void RestartLater(std::function<void(const Identity&)> restart);
  // Waits for what is under way; nothing starts any more: calls answer UNAVAILABLE.
  void Close();
  // Before the process ends by `why`: damage puts the directory in quarantine. Returns `why`, and
  // what came of it. Blocks.
  absl::Status NoteFatal(const absl::Status& why);

 private:
  DataDirectory(FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}

  // On the strand.
  absl::Status AcceptNow(const catalog::BirthCertificate& certificate);
  absl::Status StartNow(const Start& start);
  absl::Status OnStrand(absl::AnyInvocable<absl::Status()> task);

  FileSystem& fs_;
  const std::string path_;
  std::unique_ptr<FileLock> lock_;
  // The strand's.
  bool started_ = false;
  bool closed_ = false;

  mutable Mutex mu_;
  Identity identity_ ABSL_GUARDED_BY(mu_);

  // One birth at a time, without a mutex held during I/O. Last: its tasks use all of the above.
  std::unique_ptr<Executor> strand_ = NewThreadExecutor("birth");
};

}  // namespace kdb::raftnode

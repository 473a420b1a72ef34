// A file system whose calls fail, and whose bits rot, on demand.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"

namespace kdb {

enum class FsOp {
  kOpen,
  kRead,
  kWrite,
  kAllocate,
  kTruncate,
  kSync,  // Sync and DataSync
  kList,
  kCreateDir,
  kRename,  // the path is the source
  kHardLink,
  kRemove,
  kRemoveDir,
  kSyncDir,
  kStat,  // Exists, FileSize, Size, DiskSpace
  kLock,
};

// Which calls fail, and how. Thread-safe.
class FaultPlan {
 public:
  // Asked before every call; its error is returned instead of making the call. One that blocks is a
  // disk that stalls.
  using Hook = std::function<absl::Status(FsOp op, const std::string& path)>;

  // Replaces the hook; null removes it.
  void SetHook(Hook hook);
  // Of the calls of `op` on a path that contains `part`, lets `skip` pass and fails the next
  // (`count` of them). Rules add up; Clear removes them.
  void Fail(FsOp op, std::string part, uint64_t skip, absl::Status error, uint64_t count = 1);
  // Of the reads of a path that contains `part`, lets `skip` pass and flips a bit, drawn from
  // `seed`, in what the next `count` of them return. The disk stays as it is.
  void FlipReads(std::string part, uint64_t skip, uint64_t seed, uint64_t count = 1);
  // Lets `n` more calls that change something pass; afterwards every call fails: the process is
  // as good as dead. For enumerating crash points.
  void StopAfter(uint64_t n);
  // Removes the hook, the rules and the stop.
  void Clear();

  // Calls that change something (not kRead, kList, kStat) so far.
  uint64_t changes() const;
  bool stopped() const;

  absl::Status Check(FsOp op, const std::string& path);
  // What a read returned.
  void Corrupt(const std::string& path, char* bytes, size_t n);

 private:
  struct Rule {
    // Counts a call of `path` down; true: it is its turn.
    bool Matches(const std::string& path);

    std::string part;
    uint64_t skip;
    uint64_t count;
    FsOp op;
    absl::Status error;
  };
  struct Flip {
    Rule when;
    Random random;
  };

  absl::Status CheckRulesLocked(FsOp op, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Hook hook_ ABSL_GUARDED_BY(mu_);
  std::vector<Rule> rules_ ABSL_GUARDED_BY(mu_);
  std::vector<Flip> flips_ ABSL_GUARDED_BY(mu_);
  uint64_t changes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t stop_at_ ABSL_GUARDED_BY(mu_) = UINT64_MAX;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

// `base` and `plan` outlive it and its files.
std::unique_ptr<FileSystem> NewFaultFileSystem(FileSystem& base, FaultPlan& plan);

// Bit rot: flips bit `bit` of the file, counted from its start.
absl::Status FlipBit(FileSystem& fs, const std::string& path, uint64_t bit);

}  // namespace kdb

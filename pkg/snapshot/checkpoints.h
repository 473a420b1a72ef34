// Copies of a member's state that other members fetch: one at a time, kept as long as somebody
// fetches.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "pkg/base/clock.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "pkg/snapshot/manifest.h"

namespace kdb::snapshot {

struct CheckpointOptions {
  std::string dir;         // its content belongs to this class
  std::string cluster_id;  // named in manifests
  uint64_t gid = 0;
  std::chrono::seconds keep{60};  // since the last call that used a copy
};

// Of one thread. Methods do I/O and block, Acquire for as long as making a copy takes.
class Checkpoints {
 public:
  // Copies the present state into the directory, which does not exist yet, durably or not (a copy
  // does not outlive the process), and says what it is the state of.
  using Make = absl::AnyInvocable<absl::StatusOr<raftpb::SnapshotMeta>(const std::string& dir)>;

  // Removes what a former life of the process left. `fs` and `clock` outlive the object.
  static absl::StatusOr<std::unique_ptr<Checkpoints>> Open(FileSystem& fs, const Clock& clock,
                                                           const CheckpointOptions& options,
                                                           Make make, Random random);
  // Removes all copies.
  ~Checkpoints();

  // The copy `resume_id` if it is still there, else the newest, else a new one; each only if it
  // covers `min_index`. UNAVAILABLE: the state itself does not reach so far yet.
  absl::StatusOr<Manifest> Acquire(uint64_t min_index, const std::string& resume_id = "");
  // At most `bytes` of a file, fewer only at its end. NOT_FOUND: there is no such copy any more.
  // DATA_LOSS: the file is not as it was.
  absl::StatusOr<std::string> Read(const std::string& id, int file, uint64_t offset, size_t bytes);
  // Of a copy: its fetchers need the log behind it. 0: there is no copy.
  uint64_t oldest_index() const;
  // Removes copies that nobody used for so long. To be called now and then.
  void Expire();

 private:
  struct Copy {
    Manifest manifest;
    Clock::Duration used{0};
  };

  Checkpoints(FileSystem& fs, const Clock& clock, CheckpointOptions options, Make make,
              Random random);

  absl::StatusOr<Copy*> MakeOne();
  // Null: none covers that.
  Copy* Find(uint64_t min_index, const std::string& resume_id);
  std::string DirOf(const std::string& id) const { return options_.dir + "/" + id; }

  FileSystem& fs_;
  const Clock& clock_;
  const CheckpointOptions options_;
  Make make_;
  Random random_;
  std::map<std::string, Copy> copies_;  // by id
};

}  // namespace kdb::snapshot

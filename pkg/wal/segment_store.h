// The files of the log's directory: segments `<id>.wal` and spare files `<n>.spare`, in
// hexadecimal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "pkg/base/mutex.h"
#include "pkg/base/random.h"
#include "pkg/env/file_system.h"
#include "pkg/wal/format.h"
#include "pkg/wal/wal.h"

namespace kdb::wal {

struct Segment {
  Segment(std::string path_arg, std::unique_ptr<File> file_arg, const SegmentHeader& header_arg)
      : path(std::move(path_arg)),
        file(std::move(file_arg)),
        header(header_arg),
        codec(header_arg) {}

  const std::string path;
  const std::unique_ptr<File> file;
  const SegmentHeader header;
  const RecordCodec codec;
};

// One thread, but for Prepare, which any other may call meanwhile.
class SegmentStore {
 public:
  // `fs` outlives it. `options` are valid.
  static absl::StatusOr<std::unique_ptr<SegmentStore>> Open(FileSystem& fs, std::string dir,
                                                            const Options& options);

  // Ids of the segments found by Open, ascending.
  const std::vector<uint64_t>& found() const { return found_; }
  // Reads the header and checks it against the file's name. DATA_LOSS names the file.
  absl::StatusOr<std::shared_ptr<Segment>> Load(uint64_t id) const;

  // A file that is to become a segment.
  struct Blank {
    std::string path;
    std::unique_ptr<File> file;
    uint64_t bytes = 0;
  };
  // A spare, or a new file of at least `bytes`, filled with zeros on the disk if `fill` (so that
  // syncs need not convert unwritten extents: FORMAT.md has figures). On error nothing has changed.
  absl::StatusOr<Blank> Take(uint64_t bytes, bool fill);
  // Gives it its header (id, incarnation and file_bytes are filled in) and then its name, durably.
  absl::StatusOr<std::shared_ptr<Segment>> Publish(Blank blank, SegmentHeader header);
  // Turns segment `id`, which must not be open for writing, into a spare, or removes it. Durable on
  // return.
  absl::Status Recycle(uint64_t id);
  // Sees to it that there is a spare.
  absl::Status Prepare();

  std::string PathOf(uint64_t id) const;
  const std::string& dir() const { return dir_; }

 private:
  SegmentStore(FileSystem& fs, std::string dir, const Options& options);

  absl::Status Scan();
  absl::Status AdoptSpare(const std::string& path);
  std::string NewSparePath();
  absl::StatusOr<Blank> NewBlank(uint64_t bytes, bool fill);
  bool HasSpare();
  bool MayKeep(uint64_t bytes);  // a file of this size as a spare

  FileSystem& fs_;
  const std::string dir_;
  const Options options_;
  Random random_;
  std::vector<uint64_t> found_;
  uint64_t next_id_ = 1;

  Mutex mu_;
  std::vector<std::string> spares_ ABSL_GUARDED_BY(mu_);  // paths; each options_.segment_bytes long
  uint64_t next_spare_ ABSL_GUARDED_BY(mu_) = 1;
};

}  // namespace kdb::wal

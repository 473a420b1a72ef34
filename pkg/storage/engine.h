// An ordered key-value engine below the state machines: RocksDB in servers (pkg/rocks), memory in
// simulation.
//
// Durability: Write is NOT durable by itself (the raft log is); Flush makes all earlier writes
// durable. After a crash the engine holds a prefix of the writes, cut between two Write calls, and
// at least everything flushed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kdb::storage {

// Over the keys of [lower, upper) of one moment. key() and value() are valid until the next move.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view key) = 0;         // first key >= key
  virtual void SeekForPrev(std::string_view key) = 0;  // last key <= key
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual absl::Status status()
      const = 0;  // of an iteration that ended: OK, or why it could not go on
};

class Reader {
 public:
  virtual ~Reader() = default;
  // True and *value set when the key is there; false when it is not.
  virtual absl::StatusOr<bool> Get(std::string_view key, std::string* value) const = 0;
  // `upper` empty: no upper bound. The iterator sees one moment and must not outlive the reader.
  virtual std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                                std::string_view upper) const = 0;
  // The same for a scan of everything: it does not push out of a cache what others need.
  virtual std::unique_ptr<Iterator> NewScan(std::string_view lower, std::string_view upper) const {
    return NewIterator(lower, upper);
  }
};

// Changes applied atomically, in order. Not thread-safe.
class WriteBatch {
 public:
  virtual ~WriteBatch() = default;
  virtual void Put(std::string_view key, std::string_view value) = 0;
  virtual void Delete(std::string_view key) = 0;
  virtual void DeleteRange(std::string_view begin, std::string_view end) = 0;  // [begin, end)
  virtual void Clear() = 0;
  virtual size_t bytes() const = 0;
  virtual size_t count() const = 0;
};

// A consistent view; lives at most as long as its engine. Thread-safe.
using Snapshot = Reader;

// A directory that Checkpoint made, opened for reading alone.
class Copy : public Reader {
 public:
  // Reads all of it. DATA_LOSS: it is not what was written.
  virtual absl::Status Verify() const = 0;
};

// Thread-safe; Write from one thread at a time. Errors: DATA_LOSS (I/O, corruption),
// RESOURCE_EXHAUSTED (disk full).
class Engine : public Reader {
 public:
  virtual std::unique_ptr<WriteBatch> NewBatch() = 0;
  virtual absl::Status Write(WriteBatch& batch) = 0;
  virtual std::unique_ptr<Snapshot> NewSnapshot() const = 0;
  // As Get, but only of what a crash now would keep (RocksDB's kPersistedTier).
  virtual absl::StatusOr<bool> GetPersisted(std::string_view key, std::string* value) const = 0;
  // Blocks until all earlier writes are durable. Concurrent Writes go on.
  virtual absl::Status Flush() = 0;
  // A durable copy of the present state in the new directory `dir` (hard links where possible).
  virtual absl::Status Checkpoint(const std::string& dir) = 0;
  // A copy that this or another engine of its kind made.
  virtual absl::StatusOr<std::unique_ptr<Copy>> OpenCopy(const std::string& dir) const = 0;
  virtual uint64_t ApproximateBytes() const = 0;
  // Range deletions written and not yet flushed. The engine keeps them few, where they are dear
  // (design 2): Write starts a flush.
  virtual uint64_t UnflushedRangeDeletes() const = 0;
};

}  // namespace kdb::storage

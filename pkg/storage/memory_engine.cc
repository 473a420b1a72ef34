#include "pkg/storage/memory_engine.h"

#include <utility>
#include <vector>

#include "pkg/base/mutex.h"
#include "pkg/base/status.h"
#include "pkg/storage/memory_copy.h"
#include "pkg/storage/persistent_map.h"

namespace kdb::storage {
namespace {

// More unflushed versions than this are thinned out: a crash then has fewer points to choose from.
constexpr size_t kMaxVersions = 4096;

class Batch final : public WriteBatch {
 public:
  enum class Kind { kPut, kDelete, kDeleteRange };
  struct Change {
    Kind kind;
    std::string key;
    std::string value;  // kPut: the value; kDeleteRange: the end
  };

  void Put(std::string_view key, std::string_view value) override { Add(Kind::kPut, key, value); }
  void Delete(std::string_view key) override { Add(Kind::kDelete, key, {}); }
  void DeleteRange(std::string_view begin, std::string_view end) override {
    Add(Kind::kDeleteRange, begin, end);
  }
  void Clear() override {
    changes_.clear();
    bytes_ = 0;
  }
  size_t bytes() const override { return bytes_; }
  size_t count() const override { return changes_.size(); }
  const std::vector<Change>& changes() const { return changes_; }

 private:
  void Add(Kind kind, std::string_view key, std::string_view value) {
    changes_.push_back({kind, std::string(key), std::string(value)});
    bytes_ += key.size() + value.size() + 1;
  }

  std::vector<Change> changes_;
  size_t bytes_ = 0;
};

bool GetFrom(const PersistentMap& map, std::string_view key, std::string* value) {
  const std::string* found = map.Find(key);
  if (found != nullptr) *value = *found;
  return found != nullptr;
}

class MapSnapshot final : public Reader {
 public:
  explicit MapSnapshot(PersistentMap map) : map_(std::move(map)) {}
  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return GetFrom(map_, key, value);
  }
  std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                        std::string_view upper) const override {
    return map_.NewIterator(lower, upper);
  }

 private:
  const PersistentMap map_;
};

class Memory final : public MemoryEngine {
 public:
  Memory(FileSystem* files, PersistentMap map) : files_(files) {
    versions_.push_back({.map = std::move(map)});
  }

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return GetFrom(Present().map, key, value);
  }
  std::unique_ptr<Iterator> NewIterator(std::string_view lower,
                                        std::string_view upper) const override {
    return Present().map.NewIterator(lower, upper);
  }
  std::unique_ptr<WriteBatch> NewBatch() override { return std::make_unique<Batch>(); }
  std::unique_ptr<Snapshot> NewSnapshot() const override {
    return std::make_unique<MapSnapshot>(Present().map);
  }

  absl::Status Write(WriteBatch& batch) override {
    MutexLock lock(mu_);
    Version next = versions_.back();
    for (const Batch::Change& change : static_cast<const Batch&>(batch).changes()) {
      Apply(change, next);
    }
    versions_.push_back(std::move(next));
    if (versions_.size() > kMaxVersions) ThinOutLocked();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> GetPersisted(std::string_view key, std::string* value) const override {
    Version flushed;
    {
      MutexLock lock(mu_);
      flushed = versions_.front();
    }
    return GetFrom(flushed.map, key, value);
  }

  absl::Status Flush() override {
    MutexLock lock(mu_);
    versions_.erase(versions_.begin(), versions_.end() - 1);
    versions_.front().range_deletes = 0;
    return absl::OkStatus();
  }

  absl::Status Checkpoint(const std::string& dir) override {
    if (files_ == nullptr) return absl::UnimplementedError("this engine has no files");
    return WriteMemoryCopy(*files_, dir, Present().map);
  }
  absl::StatusOr<std::unique_ptr<Copy>> OpenCopy(const std::string& dir) const override {
    if (files_ == nullptr) return absl::UnimplementedError("this engine has no files");
    return OpenMemoryCopy(*files_, dir);
  }
  uint64_t ApproximateBytes() const override { return Present().map.bytes(); }
  uint64_t UnflushedRangeDeletes() const override { return Present().range_deletes; }

  void Crash(Random& random) override {
    MutexLock lock(mu_);
    versions_.resize(1 + random.Uniform(versions_.size()));
    versions_.erase(versions_.begin(), versions_.end() - 1);
  }

 private:
  struct Version {
    PersistentMap map;
    uint64_t range_deletes = 0;  // since the flush
  };

  static void Apply(const Batch::Change& change, Version& version) {
    switch (change.kind) {
      case Batch::Kind::kPut:
        version.map = version.map.With(change.key, change.value);
        break;
      case Batch::Kind::kDelete:
        version.map = version.map.Without(change.key);
        break;
      case Batch::Kind::kDeleteRange:
        version.map = version.map.WithoutRange(change.key, change.value);
        ++version.range_deletes;
        break;
    }
  }

  Version Present() const {
    MutexLock lock(mu_);
    return versions_.back();
  }

  // Drops every other version but keeps the flushed and the present one.
  void ThinOutLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    size_t kept = 1;
    for (size_t i = 2; i + 1 < versions_.size(); i += 2) versions_[kept++] = versions_[i];
    versions_[kept++] = versions_.back();
    versions_.resize(kept);
  }

  FileSystem* const files_;
  mutable Mutex mu_;
  // The flushed version, then one per Write since; the last is the present.
  std::vector<Version> versions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<MemoryEngine> NewMemoryEngine(FileSystem* files) {
  return std::make_unique<Memory>(files, PersistentMap());
}

absl::StatusOr<std::unique_ptr<MemoryEngine>> OpenMemoryEngine(FileSystem& files,
                                                               const std::string& dir) {
  absl::StatusOr<PersistentMap> map = ReadMemoryCopy(files, dir);
  if (absl::IsNotFound(map.status())) map = PersistentMap();
  KDB_RETURN_IF_ERROR(map.status());
  return std::make_unique<Memory>(&files, *std::move(map));
}

}  // namespace kdb::storage

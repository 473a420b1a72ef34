#include "pkg/rocks/rocks_engine.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "pkg/base/damage.h"
#include "pkg/base/status.h"
#include "pkg/rocks/env_adapter.h"
#include "pkg/rocks/flush_tracker.h"

namespace kdb::rocks {
namespace {

// RocksDB 7.8 slows down with range tombstones in the memtable (design 2): beyond this many, Write
// starts a flush.
constexpr uint64_t kMaxUnflushedRangeDeletes = 200;
constexpr size_t kBlockBytes = 8 << 10;
constexpr int kCacheShardBits = 4;
// Values from here on lie in files of their own: within a table they make blocks too large for a
// shard of the cache, which every seek nearby would read from disk again.
constexpr uint64_t kMinBlobBytes = 32 << 10;
constexpr double kMostBlobGarbage = 0.5;  // of a file; then it is rewritten
constexpr int kBloomBitsPerKey = 10;
constexpr int kOpenFiles = 1000;

rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

std::string ParentOf(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class Batch final : public storage::WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value) override {
    Note(batch_.Put(ToSlice(key), ToSlice(value)));
  }
  void Delete(std::string_view key) override { Note(batch_.Delete(ToSlice(key))); }
  void DeleteRange(std::string_view begin, std::string_view end) override {
    if (begin >= end) return;
    Note(batch_.DeleteRange(ToSlice(begin), ToSlice(end)));
    ++range_deletes_;
  }
  void Clear() override {
    batch_.Clear();
    range_deletes_ = 0;
    status_ = rocksdb::Status::OK();
  }
  size_t bytes() const override { return batch_.GetDataSize(); }
  size_t count() const override { return batch_.Count(); }

  rocksdb::WriteBatch& batch() { return batch_; }
  size_t range_deletes() const { return range_deletes_; }
  const rocksdb::Status& status() const { return status_; }

 private:
  void Note(rocksdb::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  rocksdb::WriteBatch batch_;
  size_t range_deletes_ = 0;
  rocksdb::Status status_;  // the first error: a record of 4 GiB or more
};

class RocksIterator final : public storage::Iterator {
 public:
  RocksIterator(rocksdb::DB& db, rocksdb::ReadOptions options, std::string_view lower,
                std::string_view upper)
      : lower_(lower), upper_(upper), lower_slice_(lower_), upper_slice_(upper_) {
    if (!lower_.empty()) options.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) options.iterate_upper_bound = &upper_slice_;
    it_.reset(db.NewIterator(options));
  }

  bool Valid() const override { return it_->Valid(); }
  void SeekToFirst() override { it_->SeekToFirst(); }
  void SeekToLast() override { it_->SeekToLast(); }
  void Seek(std::string_view key) override { it_->Seek(ToSlice(key)); }
  void SeekForPrev(std::string_view key) override { it_->SeekForPrev(ToSlice(key)); }
  void Next() override { it_->Next(); }
  void Prev() override { it_->Prev(); }
  std::string_view key() const override { return ToView(it_->key()); }
  std::string_view value() const override { return ToView(it_->value()); }
  absl::Status status() const override { return FromRocks(it_->status()); }

 private:
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice lower_slice_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

absl::StatusOr<bool> GetFrom(rocksdb::DB& db, const rocksdb::ReadOptions& options,
                             std::string_view key, std::string* value) {
  rocksdb::Status status = db.Get(options, ToSlice(key), value);
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return FromRocks(status);
}

class RocksSnapshot final : public storage::Reader {
 public:
  explicit RocksSnapshot(rocksdb::DB& db) : db_(db) { options_.snapshot = db_.GetSnapshot(); }
  ~RocksSnapshot() override { db_.ReleaseSnapshot(options_.snapshot); }

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return GetFrom(db_, options_, key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                 std::string_view upper) const override {
    return std::make_unique<RocksIterator>(db_, options_, lower, upper);
  }
  std::unique_ptr<storage::Iterator> NewScan(std::string_view lower,
                                             std::string_view upper) const override {
    rocksdb::ReadOptions options = options_;
    options.fill_cache = false;
    return std::make_unique<RocksIterator>(db_, options, lower, upper);
  }

 private:
  rocksdb::DB& db_;
  rocksdb::ReadOptions options_;
};

class RocksCopy final : public storage::Copy {
 public:
  RocksCopy(std::shared_ptr<rocksdb::Env> env, std::unique_ptr<rocksdb::DB> db)
      : env_(std::move(env)), db_(std::move(db)) {}

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return GetFrom(*db_, {}, key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                 std::string_view upper) const override {
    return std::make_unique<RocksIterator>(*db_, rocksdb::ReadOptions(), lower, upper);
  }
  absl::Status Verify() const override {
    return FromRocks(db_->VerifyFileChecksums(rocksdb::ReadOptions()));
  }

 private:
  const std::shared_ptr<rocksdb::Env> env_;
  const std::unique_ptr<rocksdb::DB> db_;
};

class RocksEngine final : public storage::Engine {
 public:
  RocksEngine(FileSystem& fs, std::string dir, std::shared_ptr<rocksdb::Env> env,
              rocksdb::Options options)
      : fs_(fs), dir_(std::move(dir)), env_(std::move(env)), options_(std::move(options)) {
    options_.env = env_.get();
    write_options_.disableWAL = true;
  }

  absl::Status Open() {
    rocksdb::Options options = options_;
    options.listeners.push_back(flushes_);
    rocksdb::DB* db = nullptr;
    rocksdb::Status status = rocksdb::DB::Open(options, dir_, &db);
    db_.reset(db);
    return FromRocks(status);
  }

  absl::StatusOr<bool> Get(std::string_view key, std::string* value) const override {
    return GetFrom(*db_, {}, key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(std::string_view lower,
                                                 std::string_view upper) const override {
    return std::make_unique<RocksIterator>(*db_, rocksdb::ReadOptions(), lower, upper);
  }
  std::unique_ptr<storage::WriteBatch> NewBatch() override { return std::make_unique<Batch>(); }
  std::unique_ptr<storage::Snapshot> NewSnapshot() const override {
    return std::make_unique<RocksSnapshot>(*db_);
  }

  absl::Status Write(storage::WriteBatch& batch) override {
    auto& changes = static_cast<Batch&>(batch);
    if (!changes.status().ok()) return FromRocks(changes.status());
    rocksdb::Status status = db_->Write(write_options_, &changes.batch());
    if (status.IsNoSpace() && ResumeWhenThereIsRoom()) {
      status = db_->Write(write_options_, &changes.batch());
    }
    if (!status.ok()) return FromRocks(status);
    range_deletes_written_ += changes.range_deletes();
    if (UnflushedRangeDeletes() >= kMaxUnflushedRangeDeletes) StartFlush();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> GetPersisted(std::string_view key, std::string* value) const override {
    rocksdb::ReadOptions options;
    options.read_tier = rocksdb::kPersistedTier;
    return GetFrom(*db_, options, key, value);
  }

  absl::Status Flush() override {
    const uint64_t range_deletes = range_deletes_written_;
    rocksdb::Status status = FlushAndWait();
    if (status.IsNoSpace() && ResumeWhenThereIsRoom()) status = FlushAndWait();
    if (status.ok()) NoteFlushed(range_deletes);
    return FromRocks(status);
  }

  absl::Status Checkpoint(const std::string& dir) override {
    rocksdb::Checkpoint* checkpoint = nullptr;
    KDB_RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(db_.get(), &checkpoint)));
    std::unique_ptr<rocksdb::Checkpoint> owner(checkpoint);
    KDB_RETURN_IF_ERROR(FromRocks(owner->CreateCheckpoint(dir)));
    // RocksDB syncs the files and `dir`, and renames `dir` into place, but leaves its name
    // unsynced.
    return fs_.SyncDir(ParentOf(dir));
  }

  absl::StatusOr<std::unique_ptr<storage::Copy>> OpenCopy(const std::string& dir) const override {
    rocksdb::DB* db = nullptr;
    KDB_RETURN_IF_ERROR(FromRocks(rocksdb::DB::OpenForReadOnly(options_, dir, &db)));
    return std::make_unique<RocksCopy>(env_, std::unique_ptr<rocksdb::DB>(db));
  }

  uint64_t ApproximateBytes() const override {
    return Property(rocksdb::DB::Properties::kLiveSstFilesSize) +
           Property(rocksdb::DB::Properties::kLiveBlobFileSize) +
           Property(rocksdb::DB::Properties::kCurSizeAllMemTables);
  }
  uint64_t UnflushedRangeDeletes() const override {
    return range_deletes_written_ - range_deletes_flushed_;
  }

 private:
  uint64_t Property(const std::string& name) const {
    uint64_t value = 0;
    db_->GetIntProperty(name, &value);
    return value;
  }

  // Flush seals the memtable before it returns; what was sealed then is durable when no sealed one
  // waits, or at the end of the second flush from here: the first may have started before.
  rocksdb::Status FlushAndWait() {
    FlushTracker::State state = flushes_->state();
    const uint64_t errors = state.errors;
    rocksdb::Status status = db_->Flush(rocksdb::FlushOptions());
    for (int flushes = 0; status.ok() && flushes < 2; ++flushes) {
      state = flushes_->state();
      if (state.errors != errors) return state.error;
      if (Property(rocksdb::DB::Properties::kNumImmutableMemTable) == 0) break;
      state = flushes_->WaitForChange(state);
      if (state.errors != errors) return state.error;
    }
    return status;
  }

  // Readers meet the range tombstones until the background flush is done, a fraction of a second.
  void StartFlush() {
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    const uint64_t range_deletes = range_deletes_written_;
    if (db_->Flush(options).ok()) NoteFlushed(range_deletes);
  }
  void NoteFlushed(uint64_t range_deletes) {
    uint64_t seen = range_deletes_flushed_;
    while (seen < range_deletes &&
           !range_deletes_flushed_.compare_exchange_weak(seen, range_deletes)) {
    }
  }

  // After a full disk RocksDB refuses writes until it is resumed. Not tried in vain: when what
  // waits in memory would not fit, the flush would only fail again.
  bool ResumeWhenThereIsRoom() {
    auto space = fs_.DiskSpace(dir_);
    if (!space.ok()) return false;
    if (space->available_bytes < Property(rocksdb::DB::Properties::kCurSizeAllMemTables)) {
      return false;
    }
    return db_->Resume().ok();
  }

  FileSystem& fs_;
  const std::string dir_;
  const std::shared_ptr<rocksdb::Env> env_;  // shared with copies
  rocksdb::Options options_;
  // Shared with RocksDB, whose interface asks for it.
  const std::shared_ptr<FlushTracker> flushes_ = std::make_shared<FlushTracker>();
  rocksdb::WriteOptions write_options_;
  std::atomic<uint64_t> range_deletes_written_ = 0;
  std::atomic<uint64_t> range_deletes_flushed_ = 0;  // of those written
  std::unique_ptr<rocksdb::DB> db_;
};

rocksdb::CompressionType BestOf(std::initializer_list<rocksdb::CompressionType> wanted) {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (rocksdb::CompressionType type : wanted) {
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  }
  return rocksdb::kNoCompression;
}

std::shared_ptr<rocksdb::TableFactory> TableFactory(const Options& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, kCacheShardBits);
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  // In the cache, so that the memory of many files stays bounded; in partitions, since the filter
  // of a whole file may be larger than a shard of the cache, would not stay there, and be read
  // again by every Get.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_top_level_index_and_filter = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

rocksdb::Options RocksOptions(const Options& options) {
  rocksdb::Options rocks;
  rocks.create_if_missing = true;
  rocks.paranoid_checks = true;
  // Of whole files, for copies on their way to other members.
  rocks.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  rocks.write_buffer_size = options.memtable_bytes;
  rocks.max_write_buffer_number = 2;
  rocks.max_background_jobs = options.background_jobs;
  rocks.table_factory = TableFactory(options);
  rocks.compression = BestOf({rocksdb::kLZ4Compression, rocksdb::kSnappyCompression});
  rocks.bottommost_compression = BestOf({rocksdb::kZSTD, rocks.compression});
  rocks.enable_blob_files = true;
  rocks.min_blob_size = kMinBlobBytes;
  rocks.blob_compression_type = rocks.compression;
  rocks.enable_blob_garbage_collection = true;
  rocks.blob_garbage_collection_force_threshold = kMostBlobGarbage;
  rocks.level_compaction_dynamic_level_bytes = true;
  rocks.max_open_files = kOpenFiles;
  rocks.compaction_readahead_size = 2 << 20;
  rocks.bytes_per_sync = 4 << 20;
  // The owner flushes at a clean shutdown; after an error a flush would hide it.
  rocks.avoid_flush_during_shutdown = true;
  rocks.allow_concurrent_memtable_write = false;  // one writer
  rocks.allow_fallocate = false;
  rocks.skip_stats_update_on_db_open = true;
  rocks.stats_dump_period_sec = 0;
  rocks.stats_persist_period_sec = 0;
  rocks.keep_log_file_num = 4;
  rocks.max_log_file_size = 4 << 20;
  return rocks;
}

}  // namespace

absl::StatusOr<std::unique_ptr<storage::Engine>> OpenRocksEngine(FileSystem& fs,
                                                                 const std::string& dir,
                                                                 const Options& options) {
  KDB_RETURN_IF_ERROR(CreateDirs(fs, dir));
  auto engine = std::make_unique<RocksEngine>(
      fs, dir, rocksdb::NewCompositeEnv(std::make_shared<EnvAdapter>(fs)), RocksOptions(options));
  absl::Status status = engine->Open();
  if (absl::IsDataLoss(status)) {
    return WithContext(
        fmt::format("cannot open the database in {} (if another process has it open, stop that; "
                    "otherwise replace this replica by a new member: kdbctl member replace)",
                    dir),
        status);
  }
  KDB_RETURN_IF_ERROR(status);
  return engine;
}

}  // namespace kdb::rocks

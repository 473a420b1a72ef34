#include "pkg/rocks/env_adapter.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <utility>

#include "pkg/base/damage.h"
#include "pkg/base/mutex.h"

namespace kdb::rocks {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class SequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    auto count = file_->ReadAt(offset_, n, scratch);
    if (!count.ok()) return ToRocks(count.status());
    offset_ += *count;
    *result = Slice(scratch, *count);
    return IOStatus::OK();
  }
  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  const std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
};

class RandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) const override {
    auto count = file_->ReadAt(offset, n, scratch);
    if (!count.ok()) return ToRocks(count.status());
    *result = Slice(scratch, *count);
    return IOStatus::OK();
  }

 private:
  const std::unique_ptr<File> file_;
};

class WritableFile final : public rocksdb::FSWritableFile {
 public:
  WritableFile(const FileOptions& options, std::unique_ptr<File> file)
      : FSWritableFile(options), file_(std::move(file)) {}

  using FSWritableFile::Append;
  IOStatus Append(const Slice& data, const IOOptions&, IODebugContext*) override {
    absl::Status status = file_->WriteAt(size_, std::string_view(data.data(), data.size()));
    if (status.ok()) size_ += data.size();
    return ToRocks(status);
  }
  IOStatus Truncate(uint64_t size, const IOOptions&, IODebugContext*) override {
    absl::Status status = file_->Truncate(size);
    if (status.ok()) size_ = size;
    return ToRocks(status);
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  IOStatus Sync(const IOOptions&, IODebugContext*) override { return ToRocks(file_->DataSync()); }
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return ToRocks(file_->Sync()); }
  // Every bytes_per_sync bytes: keeps a flush from piling up dirty pages that the raft log's
  // fdatasync then waits for.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return ToRocks(file_->DataSync());
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return ToRocks(file_->Close()); }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override { return size_; }

 private:
  const std::unique_ptr<File> file_;
  uint64_t size_ = 0;
};

class Directory final : public rocksdb::FSDirectory {
 public:
  Directory(kdb::FileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return ToRocks(fs_.SyncDir(path_)); }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  kdb::FileSystem& fs_;
  const std::string path_;
};

class Lock final : public rocksdb::FileLock {
 public:
  explicit Lock(std::unique_ptr<kdb::FileLock> lock) : lock_(std::move(lock)) {}

 private:
  const std::unique_ptr<kdb::FileLock> lock_;
};

// Writes RocksDB's LOG. Lines that cannot be written are dropped. Thread-safe.
class InfoLog final : public rocksdb::Logger {
 public:
  explicit InfoLog(std::unique_ptr<File> file) : file_(std::move(file)) {}

  using Logger::Logv;
  void Logv(const char* format, va_list args) override {
    char text[512];
    int n = std::vsnprintf(text, sizeof(text), format, args);
    if (n < 0) return;
    std::string line = fmt::format("{:%FT%TZ} ", fmt::gmtime(std::time(nullptr)));
    line.append(text, std::min<size_t>(n, sizeof(text) - 1));
    if (line.back() != '\n') line.push_back('\n');
    MutexLock lock(mu_);  // over I/O, which page cache takes; lines keep their order
    if (file_->WriteAt(size_, line).ok()) size_ += line.size();
  }
  size_t GetLogFileSize() const override {
    MutexLock lock(mu_);
    return size_;
  }

 private:
  const std::unique_ptr<File> file_;
  mutable Mutex mu_;
  size_t size_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

IOStatus ToRocks(const absl::Status& status) {
  if (status.ok()) return IOStatus::OK();
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return IOStatus::PathNotFound(message);
    case absl::StatusCode::kResourceExhausted:
      return IOStatus::NoSpace(message);
    default:
      return IOStatus::IOError(message);
  }
}

absl::Status FromRocks(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(status.ToString());
  if (status.IsCorruption()) return DamageError(status.ToString());
  if (status.IsIOError()) return absl::DataLossError(status.ToString());
  if (status.IsNotFound()) return absl::NotFoundError(status.ToString());
  if (status.IsBusy() || status.IsTryAgain()) return absl::UnavailableError(status.ToString());
  return absl::InternalError(status.ToString());
}

IOStatus EnvAdapter::NewSequentialFile(const std::string& path, const FileOptions&,
                                       std::unique_ptr<rocksdb::FSSequentialFile>* result,
                                       IODebugContext*) {
  auto file = fs_.Open(path, OpenMode::kReadOnly);
  if (!file.ok()) return ToRocks(file.status());
  *result = std::make_unique<SequentialFile>(*std::move(file));
  return IOStatus::OK();
}

IOStatus EnvAdapter::NewRandomAccessFile(const std::string& path, const FileOptions&,
                                         std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                                         IODebugContext*) {
  auto file = fs_.Open(path, OpenMode::kReadOnly);
  if (!file.ok()) return ToRocks(file.status());
  *result = std::make_unique<RandomAccessFile>(*std::move(file));
  return IOStatus::OK();
}

IOStatus EnvAdapter::NewWritableFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* result,
                                     IODebugContext*) {
  auto file = fs_.Open(path, OpenMode::kCreateOrTruncate);
  if (!file.ok()) return ToRocks(file.status());
  *result = std::make_unique<WritableFile>(options, *std::move(file));
  return IOStatus::OK();
}

IOStatus EnvAdapter::NewDirectory(const std::string& path, const IOOptions&,
                                  std::unique_ptr<rocksdb::FSDirectory>* result, IODebugContext*) {
  *result = std::make_unique<Directory>(fs_, path);
  return IOStatus::OK();
}

IOStatus EnvAdapter::NewLogger(const std::string& path, const IOOptions&,
                               std::shared_ptr<rocksdb::Logger>* result, IODebugContext*) {
  auto file = fs_.Open(path, OpenMode::kCreateOrTruncate);
  if (!file.ok()) return ToRocks(file.status());
  *result = std::make_shared<InfoLog>(*std::move(file));
  return IOStatus::OK();
}

IOStatus EnvAdapter::FileExists(const std::string& path, const IOOptions&, IODebugContext*) {
  auto exists = fs_.Exists(path);
  if (!exists.ok()) return ToRocks(exists.status());
  return *exists ? IOStatus::OK() : IOStatus::NotFound(path);
}

IOStatus EnvAdapter::IsDirectory(const std::string& path, const IOOptions&, bool* is_dir,
                                 IODebugContext*) {
  *is_dir = fs_.List(path).ok();
  return IOStatus::OK();
}

IOStatus EnvAdapter::GetChildren(const std::string& dir, const IOOptions&,
                                 std::vector<std::string>* result, IODebugContext*) {
  auto names = fs_.List(dir);
  if (!names.ok()) return ToRocks(names.status());
  *result = *std::move(names);
  return IOStatus::OK();
}

IOStatus EnvAdapter::GetFileSize(const std::string& path, const IOOptions&, uint64_t* size,
                                 IODebugContext*) {
  auto bytes = fs_.FileSize(path);
  if (!bytes.ok()) return ToRocks(bytes.status());
  *size = *bytes;
  return IOStatus::OK();
}

IOStatus EnvAdapter::GetFileModificationTime(const std::string&, const IOOptions&, uint64_t*,
                                             IODebugContext*) {
  return IOStatus::NotSupported("modification times");  // only FIFO compaction asks
}

IOStatus EnvAdapter::GetFreeSpace(const std::string& path, const IOOptions&, uint64_t* bytes,
                                  IODebugContext*) {
  auto space = fs_.DiskSpace(path);
  if (!space.ok()) return ToRocks(space.status());
  *bytes = space->available_bytes;
  return IOStatus::OK();
}

IOStatus EnvAdapter::GetAbsolutePath(const std::string& path, const IOOptions&, std::string* result,
                                     IODebugContext*) {
  *result = path;
  return IOStatus::OK();
}

IOStatus EnvAdapter::GetTestDirectory(const IOOptions&, std::string*, IODebugContext*) {
  return IOStatus::NotSupported("test directory");
}

IOStatus EnvAdapter::CreateDir(const std::string& dir, const IOOptions& options,
                               IODebugContext* context) {
  if (FileExists(dir, options, context).ok()) return IOStatus::IOError(dir, "exists");
  return ToRocks(fs_.CreateDir(dir));
}

IOStatus EnvAdapter::CreateDirIfMissing(const std::string& dir, const IOOptions&, IODebugContext*) {
  return ToRocks(fs_.CreateDir(dir));
}

IOStatus EnvAdapter::DeleteDir(const std::string& dir, const IOOptions&, IODebugContext*) {
  return ToRocks(fs_.RemoveDir(dir));
}

IOStatus EnvAdapter::DeleteFile(const std::string& path, const IOOptions&, IODebugContext*) {
  return ToRocks(fs_.Remove(path));
}

IOStatus EnvAdapter::Truncate(const std::string& path, size_t size, const IOOptions&,
                              IODebugContext*) {
  auto file = fs_.Open(path, OpenMode::kReadWrite);
  if (!file.ok()) return ToRocks(file.status());
  return ToRocks((*file)->Truncate(size));
}

IOStatus EnvAdapter::RenameFile(const std::string& from, const std::string& to, const IOOptions&,
                                IODebugContext*) {
  return ToRocks(fs_.Rename(from, to));
}

IOStatus EnvAdapter::LinkFile(const std::string& from, const std::string& to, const IOOptions&,
                              IODebugContext*) {
  return ToRocks(fs_.HardLink(from, to));
}

IOStatus EnvAdapter::LockFile(const std::string& path, const IOOptions&, rocksdb::FileLock** lock,
                              IODebugContext*) {
  auto held = fs_.Lock(path);
  if (!held.ok()) return ToRocks(held.status());
  *lock = new Lock(*std::move(held));  // RocksDB's interface: owned through UnlockFile
  return IOStatus::OK();
}

IOStatus EnvAdapter::UnlockFile(rocksdb::FileLock* lock, const IOOptions&, IODebugContext*) {
  delete lock;
  return IOStatus::OK();
}

}  // namespace kdb::rocks

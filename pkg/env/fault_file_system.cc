#include "pkg/env/fault_file_system.h"

#include <fmt/format.h>

#include <utility>

#include "pkg/base/status.h"

namespace kdb {
namespace {

bool Changes(FsOp op) { return op != FsOp::kRead && op != FsOp::kList && op != FsOp::kStat; }

class FaultFile : public File {
 public:
  FaultFile(std::unique_ptr<File> base, FaultPlan& plan, std::string path)
      : base_(std::move(base)), plan_(plan), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t n, char* out) const override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kRead, path_));
    KDB_ASSIGN_OR_RETURN(n, base_->ReadAt(offset, n, out));
    plan_.Corrupt(path_, out, n);
    return n;
  }
  absl::Status WriteAt(uint64_t offset, std::string_view data) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kWrite, path_));
    return base_->WriteAt(offset, data);
  }
  absl::Status Allocate(uint64_t size) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kAllocate, path_));
    return base_->Allocate(size);
  }
  absl::Status Truncate(uint64_t size) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kTruncate, path_));
    return base_->Truncate(size);
  }
  absl::StatusOr<uint64_t> Size() const override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kStat, path_));
    return base_->Size();
  }
  absl::Status DataSync() override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kSync, path_));
    return base_->DataSync();
  }
  absl::Status Sync() override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kSync, path_));
    return base_->Sync();
  }
  absl::Status Close() override { return base_->Close(); }

 private:
  const std::unique_ptr<File> base_;
  FaultPlan& plan_;
  const std::string path_;
};

class FaultFileSystem : public FileSystem {
 public:
  FaultFileSystem(FileSystem& base, FaultPlan& plan) : base_(base), plan_(plan) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kOpen, path));
    KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, base_.Open(path, mode));
    return std::make_unique<FaultFile>(std::move(file), plan_, path);
  }
  absl::StatusOr<bool> Exists(const std::string& path) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kStat, path));
    return base_.Exists(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kList, dir));
    return base_.List(dir);
  }
  absl::Status CreateDir(const std::string& dir) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kCreateDir, dir));
    return base_.CreateDir(dir);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kRename, from));
    return base_.Rename(from, to);
  }
  absl::Status HardLink(const std::string& from, const std::string& to) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kHardLink, from));
    return base_.HardLink(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kRemove, path));
    return base_.Remove(path);
  }
  absl::Status RemoveDir(const std::string& dir) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kRemoveDir, dir));
    return base_.RemoveDir(dir);
  }
  absl::Status SyncDir(const std::string& dir) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kSyncDir, dir));
    return base_.SyncDir(dir);
  }
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kStat, path));
    return base_.FileSize(path);
  }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kLock, path));
    return base_.Lock(path);
  }
  absl::StatusOr<Space> DiskSpace(const std::string& path) override {
    KDB_RETURN_IF_ERROR(plan_.Check(FsOp::kStat, path));
    return base_.DiskSpace(path);
  }

 private:
  FileSystem& base_;
  FaultPlan& plan_;
};

}  // namespace

void FaultPlan::SetHook(Hook hook) {
  MutexLock lock(mu_);
  hook_ = std::move(hook);
}

void FaultPlan::Fail(FsOp op, std::string part, uint64_t skip, absl::Status error, uint64_t count) {
  MutexLock lock(mu_);
  rules_.push_back({std::move(part), skip, count, op, std::move(error)});
}

void FaultPlan::FlipReads(std::string part, uint64_t skip, uint64_t seed, uint64_t count) {
  MutexLock lock(mu_);
  flips_.push_back({{std::move(part), skip, count, FsOp::kRead, {}}, Random(seed)});
}

void FaultPlan::StopAfter(uint64_t n) {
  MutexLock lock(mu_);
  stop_at_ = changes_ + n;
  stopped_ = false;
}

void FaultPlan::Clear() {
  MutexLock lock(mu_);
  hook_ = nullptr;
  rules_.clear();
  flips_.clear();
  stop_at_ = UINT64_MAX;
  stopped_ = false;
}

uint64_t FaultPlan::changes() const {
  MutexLock lock(mu_);
  return changes_;
}

bool FaultPlan::stopped() const {
  MutexLock lock(mu_);
  return stopped_;
}

bool FaultPlan::Rule::Matches(const std::string& path) {
  if (path.find(part) == std::string::npos) return false;
  if (skip > 0) {
    --skip;
    return false;
  }
  if (count == 0) return false;
  --count;
  return true;
}

absl::Status FaultPlan::CheckRulesLocked(FsOp op, const std::string& path) {
  for (Rule& rule : rules_) {
    if (rule.op == op && rule.Matches(path)) return rule.error;
  }
  return absl::OkStatus();
}

void FaultPlan::Corrupt(const std::string& path, char* bytes, size_t n) {
  if (n == 0) return;
  MutexLock lock(mu_);
  for (Flip& flip : flips_) {
    if (!flip.when.Matches(path)) continue;
    const uint64_t bit = flip.random.Uniform(n * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
}

absl::Status FaultPlan::Check(FsOp op, const std::string& path) {
  Hook hook;
  {
    MutexLock lock(mu_);
    if (Changes(op) && changes_ >= stop_at_) stopped_ = true;
    if (stopped_) return absl::AbortedError("the simulated process has stopped");
    if (Changes(op)) ++changes_;
    KDB_RETURN_IF_ERROR(CheckRulesLocked(op, path));
    hook = hook_;
  }
  return hook ? hook(op, path) : absl::OkStatus();
}

std::unique_ptr<FileSystem> NewFaultFileSystem(FileSystem& base, FaultPlan& plan) {
  return std::make_unique<FaultFileSystem>(base, plan);
}

absl::Status FlipBit(FileSystem& fs, const std::string& path, uint64_t bit) {
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, OpenMode::kReadWrite));
  char byte = 0;
  KDB_ASSIGN_OR_RETURN(size_t n, file->ReadAt(bit / 8, 1, &byte));
  if (n == 0) return absl::OutOfRangeError(fmt::format("{} has no bit {}", path, bit));
  byte = static_cast<char>(byte ^ (1 << (bit % 8)));
  KDB_RETURN_IF_ERROR(file->WriteAt(bit / 8, {&byte, 1}));
  return file->Sync();
}

}  // namespace kdb

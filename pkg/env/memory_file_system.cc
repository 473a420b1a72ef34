#include "pkg/env/memory_file_system.h"

#include <utility>

#include "pkg/base/check.h"

namespace kdb {

MemoryFileSystem::MemoryFileSystem(CrashOptions options) : options_(options) { PowerOn(); }

MemoryFileSystem::~MemoryFileSystem() = default;

void MemoryFileSystem::PowerOn() {
  absl::StatusOr<std::unique_ptr<CrashFileSystem>> held =
      CrashFileSystem::Create(disk_, "/", options_);
  KDB_CHECK(held.ok(), "{}", held.status().ToString());
  front_.reset();
  held_ = *std::move(held);
  front_ = NewFaultFileSystem(*held_, faults_);
}

void MemoryFileSystem::Crash(Random* random) {
  absl::Status status = held_->PowerOff(random);
  // A full disk stops the leak somewhere, which is as good a power failure as any.
  KDB_CHECK(status.ok() || absl::IsResourceExhausted(status), "{}", status.ToString());
  faults_.Clear();
  PowerOn();
}

void MemoryFileSystem::Crash() { Crash(nullptr); }
void MemoryFileSystem::Crash(Random& random) { Crash(&random); }

absl::StatusOr<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path,
                                                             OpenMode mode) {
  return front_->Open(path, mode);
}
absl::StatusOr<bool> MemoryFileSystem::Exists(const std::string& path) {
  return front_->Exists(path);
}
absl::StatusOr<std::vector<std::string>> MemoryFileSystem::List(const std::string& dir) {
  return front_->List(dir);
}
absl::Status MemoryFileSystem::CreateDir(const std::string& dir) { return front_->CreateDir(dir); }
absl::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  return front_->Rename(from, to);
}
absl::Status MemoryFileSystem::HardLink(const std::string& from, const std::string& to) {
  return front_->HardLink(from, to);
}
absl::Status MemoryFileSystem::Remove(const std::string& path) { return front_->Remove(path); }
absl::Status MemoryFileSystem::RemoveDir(const std::string& dir) { return front_->RemoveDir(dir); }
absl::Status MemoryFileSystem::SyncDir(const std::string& dir) { return front_->SyncDir(dir); }
absl::StatusOr<uint64_t> MemoryFileSystem::FileSize(const std::string& path) {
  return front_->FileSize(path);
}
absl::StatusOr<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  return front_->Lock(path);
}
absl::StatusOr<FileSystem::Space> MemoryFileSystem::DiskSpace(const std::string& path) {
  return front_->DiskSpace(path);
}

}  // namespace kdb

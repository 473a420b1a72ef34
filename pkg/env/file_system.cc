#include "pkg/env/file_system.h"

#include <fmt/format.h>

#include "pkg/base/status.h"

namespace kdb {
namespace {

std::string ParentOf(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<std::string> ReadFile(FileSystem& fs, const std::string& path) {
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, OpenMode::kReadOnly));
  KDB_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  std::string content(size, '\0');
  KDB_ASSIGN_OR_RETURN(size_t n, file->ReadAt(0, content.size(), content.data()));
  content.resize(n);
  return content;
}

absl::Status WriteFileDurably(FileSystem& fs, const std::string& path, std::string_view content) {
  std::string temporary = path + ".tmp";
  KDB_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(temporary, OpenMode::kCreateOrTruncate));
  KDB_RETURN_IF_ERROR(file->WriteAt(0, content));
  KDB_RETURN_IF_ERROR(file->Sync());
  KDB_RETURN_IF_ERROR(file->Close());
  KDB_RETURN_IF_ERROR(fs.Rename(temporary, path));
  return fs.SyncDir(ParentOf(path));
}

absl::Status CreateDirs(FileSystem& fs, const std::string& dir) {
  for (size_t end = 0; end != std::string::npos;) {
    end = dir.find('/', end + 1);
    std::string prefix = dir.substr(0, end);
    if (prefix.empty() || prefix.back() == '/') continue;
    KDB_ASSIGN_OR_RETURN(bool exists, fs.Exists(prefix));
    if (!exists) KDB_RETURN_IF_ERROR(fs.CreateDir(prefix));
    // `dir` itself may be there and yet not be durable: left by a process that died before its
    // SyncDir.
    if (!exists || end == std::string::npos) KDB_RETURN_IF_ERROR(fs.SyncDir(ParentOf(prefix)));
  }
  return absl::OkStatus();
}

absl::Status RemoveTree(FileSystem& fs, const std::string& dir) {
  absl::StatusOr<std::vector<std::string>> names = fs.List(dir);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    std::string path = fmt::format("{}/{}", dir, name);
    if (fs.Remove(path).ok()) continue;  // fails on a directory
    KDB_RETURN_IF_ERROR(RemoveTree(fs, path));
  }
  return fs.RemoveDir(dir);
}

}  // namespace kdb
